import { Writable } from 'node:stream';
import { inspect } from 'node:util';
import { expect } from '@jest/globals';
import pino from 'pino';
import winston from 'winston';

/** Everything by which a value commonly ends up in a log, as text. */
export function sinksOf(value: unknown): Record<string, string> {
  return {
    String: attempt(() => String(value)),
    stack: value instanceof Error ? String(value.stack) : '',
    inspect: inspect(value, { depth: 30, showHidden: true, maxArrayLength: null, maxStringLength: null }),
    JSON: attempt(() => JSON.stringify(value) ?? ''),
    pino: attempt(() => withPino(value)),
    winston: attempt(() => withWinston(value)),
  };
}

/** No secret shows in any sink. */
export function expectNoSecret(value: unknown, secrets: readonly (string | undefined)[]): void {
  const given = secrets.filter((secret) => secret !== undefined);
  expect(given).not.toHaveLength(0);
  const shown = Object.entries(sinksOf(value)).flatMap(([sink, text]) =>
    given.filter((secret) => text.includes(secret)).map(() => sink),
  );
  expect(shown).toEqual([]);
}

/** A sink that cannot print a value at all, as JSON cannot print a circle, shows nothing of it. */
function attempt(print: () => string): string {
  try {
    return print();
  } catch (error) {
    return String(error);
  }
}

function collector(): { stream: Writable; text: () => string } {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return { stream, text: () => chunks.join('') };
}

function withPino(value: unknown): string {
  const { stream, text } = collector();
  const logger = pino({ level: 'trace' }, stream);
  logger.error(value as object);
  logger.error({ err: value, value }, 'text');
  return text();
}

function withWinston(value: unknown): string {
  const { stream, text } = collector();
  const { combine, errors, json, splat } = winston.format;
  const logger = winston.createLogger({
    format: combine(errors({ stack: true }), splat(), json()),
    transports: [new winston.transports.Stream({ stream })],
  });
  logger.error(value as object);
  logger.error('text', { value });
  logger.error('text %o', value);
  return text();
}
