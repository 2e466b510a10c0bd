import { inspect } from 'node:util';

/** What a value looks like in the places where values end up: logs, crash reports, answers to a browser. */
export function sinksOf(value: unknown): Record<string, string> {
  return {
    String: attempt(() => String(value)),
    stack: value instanceof Error ? String(value.stack) : '',
    inspect: attempt(() =>
      inspect(value, { depth: 30, showHidden: true, maxArrayLength: null, maxStringLength: null }),
    ),
    JSON: attempt(() => JSON.stringify(value) ?? ''),
    'JSON of what it has': attempt(() => JSON.stringify({ ...(value as object) })),
  };
}

/** A sink that cannot print a value at all, as JSON cannot print a circle, shows nothing of it. */
export function attempt(print: () => string): string {
  try {
    return print();
  } catch (error) {
    return String(error);
  }
}

/** Whether a text shows a secret: as it is, or as it looks in a URL, in JSON or in Base64, as in Basic authentication. */
export function shows(text: string, secrets: readonly string[]): boolean {
  return secrets.some((secret) => formsOf(secret).some((form) => text.includes(form)));
}

function formsOf(secret: string): string[] {
  const forms = [
    secret,
    encodeURIComponent(secret),
    String(new URLSearchParams({ '': secret })).slice(1),
    JSON.stringify(secret).slice(1, -1),
    // After whatever was before it: three bytes make four characters, of which the last may hold a part of the next ones.
    ...[0, 1, 2].map((before) => {
      const text = Buffer.from('\0'.repeat(before) + secret).toString('base64');
      return text.replace(/=+$/, '').slice(before === 0 ? 0 : before + 1, -1);
    }),
  ];
  // What is left of a very short one would be found in anything.
  return forms.filter((form) => form.length >= secret.length);
}
