import { describe, expect, it } from '@jest/globals';
import { AxiosError, type InternalAxiosRequestConfig } from 'axios';
import { AuthError, isAuthError } from '../../src/contract/auth-error';
import { toAuthError } from '../../src/credentials/obtain-errors';
import { apiRefusal, explainRefusal, messageOf, saidBy } from '../../src/qelos/refusal';
import { expectNoSecret } from '../support/sinks';

const details = { hint: 'Do this.', httpStatus: 503, retryable: true, retryAfterMs: 1_000, cause: new Error('below') };

describe('an AuthError', () => {
  it('says what happened and what to do', () => {
    const error = new AuthError('ERR_AUTH_UNAVAILABLE', 'It is down.', details);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'AuthError',
      code: 'ERR_AUTH_UNAVAILABLE',
      message: 'It is down.',
      ...details,
    });
    expect(String(error)).toBe('AuthError: It is down.');
  });

  it('has no properties that nobody gave it', () => {
    const error = new AuthError('ERR_AUTH_CONFIG', 'Wrong.', { hint: 'Do this.' });
    expect(Object.keys(error).sort()).toEqual(['code', 'hint', 'name', 'retryable']);
    expect(error.retryable).toBe(false);
    expect('cause' in error).toBe(false);
    expect('httpStatus' in error).toBe(false);
    expect('retryAfterMs' in error).toBe(false);
  });

  it('is the same once more for each caller, with a stack of its own', () => {
    const error = new AuthError('ERR_AUTH_UNAVAILABLE', 'It is down.', details);
    const again = error.again();
    expect(again).not.toBe(error);
    expect(again).toMatchObject({ code: error.code, message: error.message, ...details });
    expect(again.stack).not.toBe(error.stack);
    expect(error.again(7).retryAfterMs).toBe(7);
    expect(error.retryAfterMs).toBe(1_000);
  });

  it('is known as one, also if another copy of the package made it', () => {
    const foreign = Object.assign(new Error('x'), { name: 'AuthError', code: 'ERR_AUTH_CLOSED', hint: 'y' });
    expect(isAuthError(new AuthError('ERR_AUTH_CLOSED', 'x', { hint: 'y' }))).toBe(true);
    expect(isAuthError(foreign)).toBe(true);
  });

  it.each([
    ['another error', new Error('x')],
    ['an error by name alone', Object.assign(new Error('x'), { name: 'AuthError' })],
    ['an object of that shape', { name: 'AuthError', code: 'ERR_AUTH_CLOSED', hint: 'y' }],
    ['an AxiosError', new AxiosError('x', 'ERR_BAD_REQUEST')],
    ['null', null],
    ['undefined', undefined],
    ['a string', 'AuthError'],
  ])('is nothing else: %s', (_name, value) => {
    expect(isAuthError(value)).toBe(false);
  });
});

describe('F23 what is about privileges and not about the credential', () => {
  it.each([
    [401, { message: 'you are not privileged.' }, true],
    [403, { message: 'anything' }, true],
    [403, '', true],
    [401, { message: 'authorization token is not valid.' }, false],
    [401, { message: 'You are not privileged.' }, false],
    [401, { error: 'you are not privileged.' }, false],
    [401, 'you are not privileged.', false],
    [401, '', false],
    [401, null, false],
  ])('%i %j: %p', (status, data, expected) => {
    expect(saidBy({ status, data }) === 'role').toBe(expected);
  });
});

describe('what a 401 or 403 of the API means', () => {
  it.each([
    [401, { message: 'you are not privileged.' }, false, 'ERR_AUTH_FORBIDDEN'],
    [401, { message: 'you are not privileged.' }, true, 'ERR_AUTH_FORBIDDEN'],
    [403, {}, true, 'ERR_AUTH_FORBIDDEN'],
    [401, { message: 'Invalid or expired API token' }, true, 'ERR_AUTH_TOKEN_REFUSED'],
    [401, '', true, 'ERR_AUTH_TOKEN_REFUSED'],
    [401, '', false, 'ERR_AUTH_SESSION_REFUSED'],
    [401, { message: 'authorization token is not valid.' }, false, 'ERR_AUTH_SESSION_REFUSED'],
  ])('%i %j, sent with an API token: %p → %s', (status, data, apiToken, authCode) => {
    const refusal = explainRefusal({ status, data }, apiToken);
    expect(refusal.authCode).toBe(authCode);
    expect(refusal.hint.length).toBeGreaterThan(40);
  });

  it('is read from an error with apiRefusal()', () => {
    const refusal = explainRefusal({ status: 401, data: '' }, false);
    expect(apiRefusal(Object.assign(new AxiosError('x'), refusal))).toEqual(refusal);
  });

  it.each([[new Error('x')], [new AxiosError('x')], [{ authCode: 'ERR_AUTH_FORBIDDEN', hint: 'y' }], [null], ['x']])(
    'is nothing on other values: %p',
    (value) => {
      expect(apiRefusal(value)).toBeUndefined();
    },
  );
});

describe('the message of a body', () => {
  it.each([
    [{ message: 'text' }, 'text'],
    [{ message: 7 }, undefined],
    [{}, undefined],
    [null, undefined],
    ['message', undefined],
    [undefined, undefined],
  ])('%j: %p', (data, expected) => {
    expect(messageOf(data)).toBe(expected);
  });
});

describe('what a strategy failed with', () => {
  const secret = 'hunter2-hunter2';
  const config = { headers: { authorization: secret }, data: secret } as unknown as InternalAxiosRequestConfig;
  const answered = (status: number, headers = {}) =>
    new AxiosError(secret, 'ERR_BAD_REQUEST', config, undefined, {
      status,
      statusText: secret,
      headers,
      data: { secret },
      config,
    });

  it.each<[string, unknown, object]>([
    ['401', answered(401), { code: 'ERR_AUTH_REFUSED', httpStatus: 401, retryable: false }],
    ['403', answered(403), { code: 'ERR_AUTH_REFUSED', httpStatus: 403, retryable: false }],
    ['404', answered(404), { code: 'ERR_AUTH_BAD_RESPONSE', httpStatus: 404, retryable: true }],
    ['429', answered(429), { code: 'ERR_AUTH_UNAVAILABLE', httpStatus: 429, retryable: true }],
    ['500', answered(500), { code: 'ERR_AUTH_UNAVAILABLE', httpStatus: 500, retryable: true }],
    ['503, later', answered(503, { 'retry-after': '9' }), { code: 'ERR_AUTH_UNAVAILABLE', retryAfterMs: 9_000 }],
    ['no answer', new AxiosError(secret, 'ECONNRESET', config), { code: 'ERR_AUTH_UNAVAILABLE', retryable: true }],
    ['no answer, of no known kind', new AxiosError(secret), { code: 'ERR_AUTH_UNAVAILABLE', retryable: true }],
    ['too much of an answer', new AxiosError(secret, 'ERR_BAD_RESPONSE'), { code: 'ERR_AUTH_BAD_RESPONSE' }],
    [
      'no answer, by fetch',
      new TypeError('fetch failed', { cause: new AxiosError(secret, 'ETIMEDOUT', config) }),
      { code: 'ERR_AUTH_UNAVAILABLE' },
    ],
    ['an error of its own', new RangeError(secret), { code: 'ERR_AUTH_BAD_RESPONSE', retryable: false }],
    ['a string', secret, { code: 'ERR_AUTH_BAD_RESPONSE', retryable: false }],
    ['null', null, { code: 'ERR_AUTH_BAD_RESPONSE', retryable: false }],
  ])('F10 becomes an AuthError without its text: %s', (_name, thrown, expected) => {
    const error = toAuthError(thrown, 'sign-in', 'own');
    expect(error).toBeInstanceOf(AuthError);
    expect(error).toMatchObject(expected);
    expect(error.cause).toBeUndefined();
    expectNoSecret(error, [secret]);
  });

  it('stays as it is if it is an AuthError', () => {
    const error = new AuthError('ERR_AUTH_WORKSPACE', 'x', { hint: 'y' });
    expect(toAuthError(error, 'sign-in', 'own')).toBe(error);
  });
});
