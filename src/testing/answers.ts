import { STATUS_CODES } from 'node:http';

/** What the server answers, before it is written: `body` undefined means an empty body without a content type. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export function json(status: number, value: unknown, headers?: Readonly<Record<string, string>>): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(value),
  };
}

/** `{"message": …}`, the form of most refusals. */
export function refusal(status: number, message: string): Answer {
  return json(status, { message });
}

/** Status and headers alone, as Qelos answers a refused refresh, a logout, and an anonymous call to its services. */
export function empty(status: number, headers?: Readonly<Record<string, string>>): Answer {
  return headers === undefined ? { status } : { status, headers };
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
