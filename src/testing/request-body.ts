import type { IncomingMessage } from 'node:http';
import { type Answer, errorPage } from './answers';
import type { WireRequest } from './routes';

/** Express's own limit, which Qelos leaves as it is. */
const LIMIT_BYTES = 100 * 1024;

/**
 * Reads the body to its end, and parses it as Express does: only what is JSON by content type, up to 100 kB. Other
 * bodies are read and dropped, whatever their size, and count as none.
 */
export async function readBody(request: IncomingMessage): Promise<{ body: WireRequest['body'] } | { refused: Answer }> {
  const isJson = /^\s*application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '');
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (isJson && length <= LIMIT_BYTES) chunks.push(chunk);
  }
  if (!isJson || length === 0) return { body: {} };
  if (length > LIMIT_BYTES) return { refused: errorPage(413) };
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
    // Strict mode: a bare string, number or null is malformed too.
    if (typeof body === 'object' && body !== null) return { body: body as WireRequest['body'] };
  } catch {
    // The same answer as for the rest that is malformed.
  }
  return { refused: errorPage(400) };
}
