import { inspect } from 'node:util';
import { describe, expect, it, jest } from '@jest/globals';
import {
  Credential,
  headersOf,
  isSameCredential,
  lifetimeOf,
  parseCredential,
  redact,
  serializeCredential,
} from '../../src/contract/credential';
import { webToken, webTokenFor } from '../credentials/json-web-token';
import { expectNoSecret, sinksOf } from '../support/sinks';

const key = 'ql_0123456789abcdef';
const badResponse = expect.objectContaining({ name: 'AuthError', code: 'ERR_AUTH_BAD_RESPONSE' });

describe('F54 a credential is opaque', () => {
  const access = webTokenFor(3600);
  const refreshToken = webTokenFor(7200);
  const kinds: [string, Credential, string[]][] = [
    ['API key', Credential.apiKey(key), [key]],
    ['bearer', Credential.bearer(access, { refreshToken }), [access, refreshToken]],
    ['headers', Credential.headers({ 'X-Signature': 'abc-123-secret' }), ['abc-123-secret']],
    [
      'restored from a store',
      parseCredential(serializeCredential(Credential.bearer(access, { refreshToken }))) as Credential,
      [access, refreshToken],
    ],
  ];

  it.each(kinds)('in every sink: %s', (_kind, credential, secrets) => {
    expectNoSecret(credential, secrets);
    expectNoSecret({ nested: [credential] }, secrets);
    expectNoSecret(new Error('failed', { cause: credential }), secrets);
  });

  it.each(kinds)('to a copy of its properties: %s', (_kind, credential, secrets) => {
    expectNoSecret({ ...credential }, secrets);
    expectNoSecret(Object.getOwnPropertyDescriptors(credential), secrets);
    expectNoSecret(Reflect.ownKeys(credential), secrets);
  });

  it('and yet says which headers it sets and when it ends', () => {
    const credential = Credential.apiKey(key, { expiresAt: new Date('2030-01-02T03:04:05Z') });
    const { inspect: inspected, JSON: json } = sinksOf(credential);
    expect(inspected).toContain('x-api-key');
    expect(json).toContain('2030-01-02T03:04:05.000Z');
    expect(inspect(credential)).toMatch(/^Credential /);
  });

  it('even when nobody could make one by its constructor', () => {
    expect(Object.keys(Credential.apiKey(key))).toEqual([]);
  });
});

describe('what a credential puts on a request', () => {
  it.each([
    ['apiKey', Credential.apiKey('k'), { 'x-api-key': 'k' }],
    ['bearer', Credential.bearer('a.b.c'), { authorization: 'Bearer a.b.c' }],
    ['headers, in lower case', Credential.headers({ 'X-One': '1', TWO: '2' }), { 'x-one': '1', two: '2' }],
  ])('%s', (_name, credential, expected) => {
    expect(headersOf(credential)).toEqual(expected);
    expect(credential.headerNames).toEqual(Object.keys(expected));
    const set = new Map<string, string>();
    credential.applyTo(set);
    expect(Object.fromEntries(set)).toEqual(expected);
  });

  it('is what makes two of them the same, whatever else they hold', () => {
    expect(isSameCredential(Credential.bearer('a', { refreshToken: '1' }), Credential.bearer('a'))).toBe(true);
    expect(isSameCredential(Credential.bearer('a'), Credential.bearer('b'))).toBe(false);
    expect(isSameCredential(Credential.bearer('a'), Credential.apiKey('a'))).toBe(false);
  });

  it('is taken out of a text, where there is no refresh token too', () => {
    expect(redact('a text about k', Credential.apiKey('k'))).toBe('a text about [hidden]');
    expect(redact('about Token Bearer x', Credential.headers({ a: 'Token Bearer x' }))).toBe('about [hidden]');
    expect(redact('about nothing', Credential.headers({ a: 'Bearer ' }))).toBe('about nothing');
  });

  it('is taken out of a text, refresh token included', () => {
    const credential = Credential.bearer('acc.ess', { refreshToken: 're.fresh' });
    expect(redact('authorization: Bearer acc.ess, then re.fresh and acc.ess', credential)).toBe(
      'authorization: Bearer [hidden], then [hidden] and [hidden]',
    );
  });
});

describe('S19 what cannot be a token is refused', () => {
  it.each(['', ' ', 'a b', ' a', 'a ', '\u00e4', '\u200b', 'a\n', 'a,b', '=a', '"a"', 'a\u00a0'])(
    'access token %j',
    (token) => {
      expect(() => Credential.bearer(token)).toThrow('holds no access token');
    },
  );

  it.each(['', ' ', 'a b', ' a', 'a ', '\u00e4', '\u200b', 'a\n'])('refresh token and API key %j', (token) => {
    expect(() => Credential.bearer('good', { refreshToken: token })).toThrow('holds no refresh token');
    expect(() => Credential.apiKey(token)).toThrow('holds no API key');
  });

  it.each(['', ' ', '   '])('header value %j', (value) => {
    expect(() => Credential.headers({ 'x-token': value })).toThrow('holds no value of the header x-token');
  });

  it('and what can be one is not', () => {
    for (const token of ['a', 'A-._~+/9==', webToken({ iat: 1, exp: 2 })])
      expect(() => Credential.bearer(token)).not.toThrow();
  });
});

describe('what is wrong with a credential is said, and can be another time', () => {
  it.each<[string, () => Credential]>([
    ['holds no access token', () => Credential.bearer(undefined as never)],
    ['holds no access token that can be sent in a header', () => Credential.bearer('a\n')],
    ['holds no refresh token', () => Credential.bearer('a', { refreshToken: 7 as never })],
    ['holds no value of the header x-one', () => Credential.headers({ 'X-One': undefined as never })],
    ['holds no value of the header x-one that can be sent in a header', () => Credential.headers({ 'X-One': '\n' })],
    ['holds a header name that HTTP does not allow', () => Credential.headers({ 'x one': '1' })],
    ['holds no header', () => Credential.headers({})],
  ])('%s', (said, make) => {
    expect(make).toThrow(expect.objectContaining({ message: `The credential ${said}.`, retryable: true }));
  });
});

describe('F37 what cannot be sent in a header is refused, and not shown', () => {
  it.each([
    ['CR LF inside', 'to\r\nken'],
    ['LF at the end', 'token\n'],
    ['NUL', 'to\0ken'],
    ['TAB', 'to\tken'],
    ['empty', ''],
    ['beyond Latin-1', 'töken✓'],
    ['zero-width', 'to\u200bken'],
  ])('%s', (_name, token) => {
    const hidden = token === '' ? 'Bearer' : token;
    for (const make of [
      () => Credential.bearer(token),
      () => Credential.apiKey(token),
      () => Credential.bearer('good', { refreshToken: token }),
      () => Credential.headers({ 'x-one': token }),
    ]) {
      expect(make).toThrow(badResponse);
      try {
        make();
      } catch (error) {
        expect(String(error)).not.toContain(hidden);
      }
    }
  });

  it.each([
    ['a number', 42],
    ['null', null],
    ['undefined', undefined],
    ['an object', { token: 'x' }],
    ['true', true],
  ])('no string: %s', (_name, token) => {
    expect(() => Credential.bearer(token as never)).toThrow(badResponse);
    expect(() => Credential.apiKey(token as never)).toThrow(badResponse);
  });

  it.each([['a b'], ['a:b'], ['a\r\nb'], ['ä'], ['']])('the header name %j', (name) => {
    expect(() => Credential.headers({ [name]: 'value' })).toThrow(badResponse);
  });

  it('no header at all', () => {
    expect(() => Credential.headers({})).toThrow(badResponse);
  });
});

describe('F38 how long a credential is good for', () => {
  const past = 1_000_000;
  const someDay = Math.floor(Date.parse('2040-01-01') / 1000);

  it.each([
    ['an hour, less the second that whole seconds may hide', { iat: past, exp: past + 3600 }, 3_599_000],
    ['two seconds', { iat: someDay, exp: someDay + 2 }, 1_000],
    ['one second: it may end at any moment', { iat: past, exp: past + 1 }, 0],
    ['half a second', { iat: past, exp: past + 0.5 }, 0],
    ['no exp', { iat: past }, undefined],
    ['no iat', { exp: someDay }, undefined],
    ['exp in the past, by this clock: iat is too', { iat: past - 60, exp: past }, 59_000],
    ['exp before iat', { iat: past + 60, exp: past }, undefined],
    ['exp equal to iat', { iat: past, exp: past }, undefined],
    ['exp a string', { iat: past, exp: String(past + 60) }, undefined],
    ['exp null', { iat: past, exp: null }, undefined],
    ['empty claims', {}, undefined],
  ])('claims: %s', (_name, claims, life) => {
    expect(lifetimeOf(Credential.bearer(webToken(claims)))).toBe(life);
  });

  it('claims: huge numbers make no invalid date', () => {
    const credential = Credential.bearer(webToken({ iat: 0, exp: 1e300 }));
    expect(credential.expiresAt).toBeUndefined();
    expect(lifetimeOf(credential)).toBeGreaterThan(1e300);
  });

  it.each([1e305, 1e308, Number.MAX_VALUE])(
    'S19 claims: a life beyond all numbers (%p) is one, and not infinite',
    (exp) => {
      expect(Number.isFinite(lifetimeOf(Credential.bearer(webToken({ iat: 0, exp }))) as number)).toBe(true);
    },
  );

  it.each([
    ['opaque', 'opaque-token'],
    ['dots only', '..'],
    ['claims that are no JSON', 'a.b.c'],
    ['claims that are null', `a.${Buffer.from('null').toString('base64url')}.c`],
    ['claims that are a number', `a.${Buffer.from('7').toString('base64url')}.c`],
    ['claims that are an array', `a.${Buffer.from('[1]').toString('base64url')}.c`],
  ])('a token that is no JSON Web Token is used until refused: %s', (_name, token) => {
    const credential = Credential.bearer(token);
    expect(credential.expiresAt).toBeUndefined();
    expect(lifetimeOf(credential)).toBeUndefined();
    expect(headersOf(credential)).toEqual({ authorization: `Bearer ${token}` });
  });

  it('expiresAt says what the server says, the claims notwithstanding', () => {
    jest.spyOn(Date, 'now').mockReturnValue(Date.parse('2030-01-01T00:00:00Z'));
    const expiresAt = new Date('2030-01-01T00:00:10Z');
    for (const credential of [
      Credential.bearer(webTokenFor(3600), { expiresAt }),
      Credential.apiKey(key, { expiresAt }),
      Credential.headers({ a: 'b' }, { expiresAt }),
    ]) {
      expect(credential.expiresAt).toEqual(expiresAt);
      expect(lifetimeOf(credential)).toBe(10_000);
    }
  });

  it('expiresIn counts seconds from now, the claims notwithstanding; expiresAt wins over it', () => {
    jest.spyOn(Date, 'now').mockReturnValue(Date.parse('2030-01-01T00:00:00Z'));
    const credential = Credential.bearer(webTokenFor(3600), { expiresIn: 90 });
    expect(credential.expiresAt).toEqual(new Date('2030-01-01T00:01:30Z'));
    expect(lifetimeOf(credential)).toBe(90_000);
    const expiresAt = new Date('2030-01-01T00:00:10Z');
    expect(lifetimeOf(Credential.bearer('opaque', { expiresIn: 90, expiresAt }))).toBe(10_000);
  });

  it.each([
    [0, 0],
    [-1, 0],
    [Number.NaN, undefined],
    ['90', undefined],
    [null, undefined],
    [Number.POSITIVE_INFINITY, Number.MAX_VALUE],
  ])('expiresIn %p: a life of %p ms', (expiresIn, lifeMs) => {
    expect(lifetimeOf(Credential.bearer('opaque', { expiresIn: expiresIn as number }))).toBe(lifeMs);
  });

  it('expiresAt in the past: it may end at any moment', () => {
    expect(lifetimeOf(Credential.apiKey(key, { expiresAt: new Date(0) }))).toBe(0);
  });

  it('expiresAt that is no date: nobody knows', () => {
    const credential = Credential.apiKey(key, { expiresAt: new Date(Number.NaN) });
    expect(credential.expiresAt).toBeUndefined();
    expect(lifetimeOf(credential)).toBeUndefined();
  });

  it('without any of it, nobody knows', () => {
    expect(lifetimeOf(Credential.apiKey(key))).toBeUndefined();
    expect(lifetimeOf(Credential.headers({ a: 'b' }))).toBeUndefined();
  });

  it.each([
    ['fast', 600_000],
    ['slow', -600_000],
  ])('F39 the life of a session does not depend on a wall clock that is 10 min %s', (_name, offset) => {
    const now = Date.now();
    jest.spyOn(Date, 'now').mockReturnValue(now + offset);
    const iat = Math.floor(now / 1000);
    expect(lifetimeOf(Credential.bearer(webToken({ iat, exp: iat + 60 })))).toBe(59_000);
  });
});

describe('a credential as text for a store', () => {
  it('comes back as it was', () => {
    jest.spyOn(Date, 'now').mockReturnValue(1_000_000_000);
    const made = Credential.bearer(webToken({ iat: 1_000_000, exp: 1_000_060 }), { refreshToken: 'next' });
    const back = parseCredential(serializeCredential(made)) as Credential;
    expect(back).toBeInstanceOf(Credential);
    expect(isSameCredential(back, made)).toBe(true);
    expect(back.refreshToken).toBe('next');
    expect(back.expiresAt).toEqual(made.expiresAt);
    expect(back.obtainedAt).toEqual(made.obtainedAt);
    expect(lifetimeOf(back)).toBe(60_000);
  });

  it('comes back with what is left of its life', () => {
    const made = Credential.apiKey(key, { expiresAt: new Date(Date.now() + 60_000) });
    const text = serializeCredential(made);
    jest.spyOn(Date, 'now').mockReturnValue((made.expiresAt as Date).getTime() - 1_500);
    expect(lifetimeOf(parseCredential(text) as Credential)).toBe(1_500);
  });

  it('that knows no end comes back without one', () => {
    const back = parseCredential(serializeCredential(Credential.apiKey(key))) as Credential;
    expect(back.expiresAt).toBeUndefined();
    expect(lifetimeOf(back)).toBeUndefined();
  });

  it.each([
    ['no JSON', 'nonsense'],
    ['null', 'null'],
    ['another version', JSON.stringify({ version: 2, headers: { a: 'b' } })],
    ['no headers', JSON.stringify({ version: 1 })],
    ['empty headers', JSON.stringify({ version: 1, headers: {} })],
    ['a header with a line end', JSON.stringify({ version: 1, headers: { a: 'b\r\nc' } })],
    ['a refresh token that is no string', JSON.stringify({ version: 1, headers: { a: 'b' }, refreshToken: 7 })],
    ['empty', ''],
  ])('is ignored if it is not one of ours: %s', (_name, text) => {
    expect(parseCredential(text)).toBeUndefined();
  });
});
