import { Writable } from 'node:stream';
import { expect } from '@jest/globals';
import pino from 'pino';
import winston from 'winston';
import { attempt, sinksOf as printedBy } from '../../src/testing/contract/sinks';

/** Everything by which a value commonly ends up in a log, as text. */
export function sinksOf(value: unknown): Record<string, string> {
  return {
    ...printedBy(value),
    pino: attempt(() => withPino(value)),
    winston: withWinston(value),
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
  const { combine, errors, json, prettyPrint, splat } = winston.format;
  for (const format of [
    combine(errors({ stack: true }), splat(), json()),
    combine(errors({ stack: true }), prettyPrint()),
  ]) {
    const logger = winston.createLogger({ format, transports: [new winston.transports.Stream({ stream })] });
    attempt(() => String(logger.error(value as object)));
    attempt(() => String(logger.error('text', { value, error: value })));
    attempt(() => String(logger.error('text %o', value)));
  }
  return text();
}
