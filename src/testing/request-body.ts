import type { IncomingMessage } from 'node:http';
import { type Answer, errorPage } from './answers';

/** Express's own limit, which Qelos leaves as it is. */
const LIMIT_BYTES = 100 * 1024;

/** A body as it was read. */
export interface ReadBody {
  /** What came: parsed JSON, the text of other text, the bytes of the rest; undefined for none. Cut at 100 kB. */
  readonly content: unknown;
  /** What Express hands to a service: JSON alone, and `{}` where there is none. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Why Express does not hand it on. */
  readonly refused?: Answer;
}

const none: ReadBody = { content: undefined, body: {} };

/**
 * Reads the body to its end, and parses it as Express does: only what is JSON by content type, up to 100 kB. Other
 * bodies are read, whatever their size, and count as none.
 */
export async function readBody(request: IncomingMessage): Promise<ReadBody> {
  const { 'content-length': declared, 'transfer-encoding': encoding, 'content-type': type = '' } = request.headers;
  if (declared === undefined && encoding === undefined) return none;
  const isJson = /^\s*application\/json\s*(;|$)/i.test(type);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    const room = Math.max(LIMIT_BYTES - length, 0);
    if (room > 0) chunks.push(chunk.subarray(0, room));
    length += chunk.length;
  }
  const bytes = Buffer.concat(chunks);
  if (length === 0) return none;
  if (!isJson) return { content: isText(type) ? bytes.toString() : bytes, body: {} };
  const content = parsed(bytes.toString());
  if (length > LIMIT_BYTES) return { content, body: {}, refused: errorPage(413) };
  // Strict mode: a bare string, number or null is malformed too.
  if (typeof content !== 'object' || content === null) return { content, body: {}, refused: errorPage(400) };
  return { content, body: content as ReadBody['body'] };
}

/** The value, or the text as it is where it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const isText = (type: string): boolean =>
  /^\s*(text\/|application\/x-www-form-urlencoded|application\/xml)/i.test(type);
