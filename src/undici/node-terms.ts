/**
 * What undici tells, in the terms of Node's client: so that axios, and whoever reads its errors, finds what is known from there.
 */

/** Headers of which Node keeps the first alone; it joins the others (the documentation of `message.headers`). */
const FIRST_ALONE = new Set(
  (
    'age authorization content-length content-type etag expires from host if-modified-since if-unmodified-since ' +
    'last-modified location max-forwards proxy-authorization referer retry-after server user-agent'
  ).split(' '),
);

/** The headers as Node shows them: lower case, each byte a character, duplicates joined. */
export function headersAsOfNode(raw: readonly Buffer[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as Buffer).toString('latin1').toLowerCase();
    const value = (raw[i + 1] as Buffer).toString('latin1');
    const present = Object.hasOwn(headers, name) ? headers[name] : undefined; // `constructor` is a name like any other
    if (name === 'set-cookie') headers[name] = Array.isArray(present) ? [...present, value] : [value];
    else if (present === undefined) headers[name] = value;
    else if (!FIRST_ALONE.has(name)) headers[name] = `${present}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  return headers;
}

export const UNASKED_SWITCH = 'The server answered 101 Switching Protocols, which nobody asked it for.';

/** What Node's client would have failed with; undefined for a connection that was closed on it. */
export function errorAsOfNode(error: Error, stage: 'connecting' | 'waiting' | 'receiving'): Error | undefined {
  const { code, name, message } = error as { code?: string } & Error;
  if (code === 'UND_ERR_SOCKET') return message === 'bad upgrade' ? connectionReset(UNASKED_SWITCH) : undefined;
  // undici takes any fault in a head that has a length for a body of another length.
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
    return stage === 'receiving' ? undefined : failure('Parse Error: Invalid head', 'ERR_BAD_RESPONSE');
  }
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return failure('Parse Error: Header overflow', 'HPE_HEADER_OVERFLOW');
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return failure('connect ETIMEDOUT', 'ETIMEDOUT');
  // Node writes the request while TLS is being agreed on, and it is this that fails.
  if (stage === 'connecting' && code?.startsWith('ERR_SSL_')) return failure(`write EPROTO ${message}`, 'EPROTO');
  if (name !== 'HTTPParserError') return error;
  const reason = /\(([^)]*)\)$/.exec(message)?.[1] ?? message;
  if (reason === 'Invalid EOF state') return undefined;
  const known = PARSE_ERRORS.find(([start]) => reason.startsWith(start));
  return failure(`Parse Error: ${reason}`, known?.[1] ?? 'ERR_BAD_RESPONSE');
}

/** undici keeps the parser's reason and loses its code. */
const PARSE_ERRORS = [
  ['Expected HTTP/', 'HPE_INVALID_CONSTANT'],
  ['Invalid character in chunk size', 'HPE_INVALID_CHUNK_SIZE'],
  ['Invalid header', 'HPE_INVALID_HEADER_TOKEN'],
  ['Invalid status code', 'HPE_INVALID_STATUS'],
  ['Missing expected CR', 'HPE_CR_EXPECTED'],
  ['Missing expected LF', 'HPE_LF_EXPECTED'],
] as const;

export function connectionReset(message: string): Error {
  return failure(message, 'ECONNRESET');
}

function failure(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
