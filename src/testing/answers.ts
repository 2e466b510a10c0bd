import { type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from 'node:http';

/** What the server answers, before it is written: `body` undefined means an empty body without a content type. */
export interface Answer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
}

const JSON_TYPE = 'application/json; charset=utf-8';

export function json(status: number, value: unknown, headers?: OutgoingHttpHeaders): Answer {
  return { status, headers: { 'content-type': JSON_TYPE, ...headers }, body: JSON.stringify(value) };
}

/** `{"message": …}`, the form of most refusals. */
export function refusal(status: number, message: string): Answer {
  return json(status, { message });
}

/** Status and headers alone, as Qelos answers a refused refresh, a logout, and an anonymous call to its services. */
export function empty(status: number, headers?: OutgoingHttpHeaders): Answer {
  return headers === undefined ? { status } : { status, headers };
}

/** What a test has an answer consist of: a string or bytes go out as they are, any other body as JSON. */
export function answerOf(
  { status, body, headers }: { status?: number | undefined; body?: unknown; headers?: OutgoingHttpHeaders | undefined },
  usualStatus: number,
): Answer {
  const wanted = status ?? usualStatus;
  if (body === undefined) return empty(wanted, headers);
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) return json(wanted, body, headers);
  return { status: wanted, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body };
}

export function write({ status, headers, body = '' }: Answer, response: ServerResponse): void {
  // One by one, for then a header given in another letter case replaces the usual one instead of joining it.
  for (const [name, value] of Object.entries({ 'content-length': Buffer.byteLength(body), ...headers })) {
    if (value !== undefined) response.setHeader(name, value);
  }
  response.writeHead(status).end(body);
}

/** The page Express writes for an error nobody handled, as it looks in production. */
export function errorPage(status: number, text = STATUS_CODES[status] ?? String(status)): Answer {
  return {
    status,
    headers: {
      'content-security-policy': "default-src 'none'",
      'x-content-type-options': 'nosniff',
      'content-type': 'text/html; charset=utf-8',
    },
    body: `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Error</title>
</head>
<body>
<pre>${escapeHtml(text)}</pre>
</body>
</html>
`,
  };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
