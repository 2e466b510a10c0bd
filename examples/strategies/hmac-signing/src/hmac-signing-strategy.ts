import { createHash, createHmac, randomUUID } from 'node:crypto';
import { isAnyArrayBuffer } from 'node:util/types';
import { type AuthStrategy, Credential, type OutgoingRequest } from 'qelos-auth';

/**
 * Signs every request, for a gateway in front of Qelos that knows who holds which key. The secret itself is never sent:
 * what is, is good for one request, as it was written, within the time that the gateway allows.
 *
 * `x-signature` is the HMAC-SHA-256, in hex, of these lines with a line feed between them:
 *
 * ```
 * method, upper case                POST
 * path, as it is in the URL         /api/blueprints/book/entities
 * query, sorted by name             limit=5&q=it%27s
 * x-signature-key                   GATEWAY_KEY_ID
 * x-signature-time                  1700000000, seconds since 1970
 * x-signature-nonce                 at random: two equal requests in one second are no replay
 * x-signature-content               the body's SHA-256 in hex, or UNSIGNED-PAYLOAD
 * ```
 *
 * The query is parsed and written anew by both sides (`application/x-www-form-urlencoded`), as clients and proxies may encode
 * the same one differently.
 */
export class HmacSigningStrategy implements AuthStrategy {
  readonly name = 'hmac-signing';
  readonly #keyId = process.env['GATEWAY_KEY_ID']?.trim() ?? '';
  readonly #secret = process.env['GATEWAY_SECRET']?.trim() ?? '';

  missing(): readonly string[] {
    return [...(this.#keyId ? [] : ['GATEWAY_KEY_ID']), ...(this.#secret ? [] : ['GATEWAY_SECRET'])];
  }

  /** Asks nobody: the key is all there is. It says who signs; what proves it is added to each request. */
  async signIn(): Promise<Credential> {
    return Credential.headers({ 'x-signature-key': this.#keyId });
  }

  /** A refused key has no successor, and a refused signature no better one: a second try would only double the load. */
  isRejected(): boolean {
    return false;
  }

  /** Runs for each send, so that a request that is sent once more, after a redirect, has a signature of its own. */
  authorize({ method, url, headers, body }: OutgoingRequest, credential: Credential): void {
    credential.applyTo(headers);
    const { pathname, searchParams } = new URL(url);
    searchParams.sort();
    const time = String(Math.floor(Date.now() / 1000));
    const nonce = randomUUID();
    const content = contentHash(body);
    headers.set('x-signature-time', time);
    headers.set('x-signature-nonce', nonce);
    headers.set('x-signature-content', content);
    const lines = [method, pathname, String(searchParams), this.#keyId, time, nonce, content];
    headers.set('x-signature', createHmac('sha256', this.#secret).update(lines.join('\n')).digest('hex'));
  }
}

/**
 * A stream or a form can be read only once, by whoever sends it. It goes out unsigned, and says so under the signature: the
 * gateway decides whether it takes that. To have it signed, send a Buffer.
 */
function contentHash(body: unknown): string {
  if (body === undefined || body === null) return sha256('');
  if (typeof body === 'string') return sha256(body);
  if (isAnyArrayBuffer(body)) return sha256(new Uint8Array(body));
  if (ArrayBuffer.isView(body)) return sha256(new Uint8Array(body.buffer, body.byteOffset, body.byteLength));
  return 'UNSIGNED-PAYLOAD';
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
