import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { AxiosError, type AxiosResponse } from 'axios';
import { AuthError } from '../../src/contract/auth-error';
import { toAuthError } from '../../src/credentials/obtain-errors';

const answered = (status: number, headers: object = {}) =>
  new AxiosError('secret', undefined, undefined, undefined, { status, headers } as AxiosResponse);
const without = (code?: string) => new AxiosError('secret', code);

describe('what a failed sign-in or refresh means', () => {
  it.each<[string, unknown, object]>([
    [
      'an outage',
      answered(503, { 'retry-after': '7' }),
      { code: 'ERR_AUTH_UNAVAILABLE', message: 'The refresh was answered with HTTP status 503.', retryAfterMs: 7_000 },
    ],
    [
      'a limit, with a header that is no text',
      answered(429, { 'retry-after': 7 }),
      { code: 'ERR_AUTH_UNAVAILABLE', httpStatus: 429, retryable: true },
    ],
    ['a refusal', answered(403), { message: 'The refresh was answered with HTTP status 403.', retryable: false }],
    [
      'a page that is not there',
      answered(404),
      { message: /HTTP status 404, which is no answer of Qelos/, retryable: true },
    ],
    [
      'a network fault',
      without('ECONNRESET'),
      { code: 'ERR_AUTH_UNAVAILABLE', message: 'The refresh got no answer (ECONNRESET).' },
    ],
    ['one without a code', without(), { message: 'The refresh got no answer (network fault).', retryable: true }],
    [
      'too much of an answer',
      without('ERR_BAD_RESPONSE'),
      { code: 'ERR_AUTH_BAD_RESPONSE', message: /more than a credential/, retryable: true },
    ],
    // As `fetch` says it.
    [
      'a network fault in the words of fetch',
      new TypeError('fetch failed', { cause: without('ETIMEDOUT') }),
      { message: /got no answer \(ETIMEDOUT\)/ },
    ],
    [
      'an error of the strategy',
      new TypeError('secret'),
      { message: 'The strategy "own" failed at refresh: it threw TypeError.' },
    ],
    [
      'a text that the strategy threw',
      'secret',
      { message: 'The strategy "own" failed at refresh: it threw a value of type string.', retryable: false },
    ],
  ])('%s', (_name, fault, expected) => {
    const { code, message, retryable, httpStatus, retryAfterMs } = toAuthError(fault, 'refresh', 'own');
    const said = { code, message, retryable, httpStatus, retryAfterMs };
    for (const [name, value] of Object.entries(expected)) {
      const seen = said[name as keyof typeof said];
      if (value instanceof RegExp) expect(seen).toMatch(value);
      else expect(seen).toBe(value);
    }
    expect(message).not.toContain('secret');
  });

  it('keeps where an error of the strategy comes from, and what caused it, without their texts', () => {
    const cause = new RangeError('secret one');
    const fault = new TypeError('secret two\n    at secret (three)', { cause });
    const error = toAuthError(fault, 'sign-in', 'own').again().cause as Error;
    expect(error.message).toBe('TypeError, without its text');
    expect(error.stack).toMatch(/^Error: TypeError, without its text\n +at .*obtain-errors\.test/);
    expect((error.cause as Error).stack).toMatch(/^Error: RangeError, without its text\n +at .*obtain-errors\.test/);
    expect(inspect(error)).not.toContain('secret');
  });

  it('tells no frames of an error whose text was changed, nor of one without a stack', () => {
    const changed = new Error('secret\n    at secret');
    expect(changed.stack).toContain('at secret'); // it is put together when it is first asked for
    changed.message = 'other';
    expect((toAuthError(changed, 'refresh', 'own').cause as Error).stack).toBe('Error: Error, without its text');
    const bare = Object.assign(new Error('secret'), { stack: undefined });
    expect((toAuthError(bare, 'refresh', 'own').cause as Error).stack).toBe('Error: Error, without its text');
  });

  it('ends where causes go round in a circle', () => {
    const fault = new Error('a');
    fault.cause = fault;
    expect(toAuthError(fault, 'refresh', 'own').cause).toBeInstanceOf(Error);
  });

  it('is what the strategy says, if it says it with an AuthError', () => {
    const error = new AuthError('ERR_AUTH_WORKSPACE', 'elsewhere', { hint: '' });
    expect(toAuthError(error, 'sign-in', 'own')).toBe(error);
  });

  it('asks for no wait where the header is none that can be read', () => {
    expect(toAuthError(answered(503, { 'retry-after': 7 }), 'refresh', 'own')).not.toHaveProperty('retryAfterMs');
    expect(toAuthError(answered(503), 'refresh', 'own')).not.toHaveProperty('retryAfterMs');
  });
});
