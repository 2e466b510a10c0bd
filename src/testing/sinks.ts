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
