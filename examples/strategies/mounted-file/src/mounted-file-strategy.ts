import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type AuthContext, AuthError, type AuthStrategy, Credential, isAuthError } from 'qelos-auth';

/** More than any credential. */
const MAX_BYTES = 1024 * 1024;

/**
 * Authenticates with what a mounted file holds, which somebody else replaces while the plugin runs: a Kubernetes secret, a
 * Vault or SPIFFE agent, a side-car that signs in. `QELOS_CREDENTIAL_FILE` names it. In it, as JSON, with an end or without:
 *
 * - a session: `{ "token": "eyJ…", "expiresAt": "2027-01-01T00:00:00Z" }`
 * - any headers: `{ "headers": { "x-api-key": "ql_…", "x-gateway-key": "…" } }`
 *
 * It is read when there is no credential yet, when the one at hand was refused, and before it ends: no watcher is needed,
 * and what counts is what the path leads to at that moment, through however many links. Both headers are in one file, as two
 * files could be read on both sides of a swap.
 */
export class MountedFileStrategy implements AuthStrategy {
  readonly name = 'mounted-file';
  readonly #path = process.env['QELOS_CREDENTIAL_FILE']?.trim() ?? '';

  missing(): readonly string[] {
    return this.#path ? [] : ['QELOS_CREDENTIAL_FILE'];
  }

  /** @throws AuthError `ERR_AUTH_CONFIG`, retryable: the file may be there, or whole, the next time */
  async signIn({ signal }: AuthContext): Promise<Credential> {
    let text: string;
    try {
      text = await readSmallFile(this.#path, signal);
    } catch (error) {
      const { code = 'not a regular file of at most 1 MiB' } = error as NodeJS.ErrnoException;
      throw unusable(`cannot be read (${code})`);
    }
    return credentialFrom(text);
  }
}

/** Reads a regular file. Anything else could keep its reader waiting, as a pipe does, or never end, as a device. */
async function readSmallFile(path: string, signal: AbortSignal): Promise<string> {
  // Without waiting for somebody to write to a pipe. Windows has no such flag, and no pipes among files.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > MAX_BYTES) throw new Error('not a file to read');
    return await file.readFile({ encoding: 'utf8', signal });
  } finally {
    await file.close();
  }
}

/** Never quotes the file: what cannot be used may still be a secret, and JSON.parse shows it in its message. */
function credentialFrom(text: string): Credential {
  let content: { token?: string; headers?: Record<string, string>; expiresAt?: string };
  try {
    content = JSON.parse(text) ?? {};
  } catch {
    throw unusable('holds no JSON');
  }
  const { token, headers } = content;
  const expiresAt = content.expiresAt === undefined ? undefined : new Date(content.expiresAt);
  if (Number.isNaN(expiresAt?.getTime())) throw unusable('has an "expiresAt" that is no date');
  try {
    // Without a refresh token: whoever writes the file refreshes the session, and a refresh token is good only once.
    if (token !== undefined && headers === undefined) return Credential.bearer(token, { expiresAt });
    if (token === undefined && isObject(headers)) return Credential.headers(headers, { expiresAt });
  } catch (error) {
    throw unusable(`is of no use. ${isAuthError(error) ? error.message : ''}`);
  }
  throw unusable('must have either "token", a text, or "headers", an object');
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unusable(what: string): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', `The file that QELOS_CREDENTIAL_FILE names ${what.replace(/\.$/, '')}.`, {
    hint: 'Check the path, the permissions and who writes the file. Replace it as a whole, by renaming: then it is never half there. It is read again by itself.',
    retryable: true,
  });
}
