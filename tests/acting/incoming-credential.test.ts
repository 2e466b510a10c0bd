import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { incomingCredential } from '../../src/acting/incoming-credential';
import { headersOf } from '../../src/contract/credential';

const KEY = `ql_${'0a'.repeat(32)}`;
const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';
const taken = (source: unknown) => {
  const credential = incomingCredential(source as never);
  return credential && headersOf(credential);
};

describe('what is taken for a credential', () => {
  it.each<[string, Record<string, string>, Record<string, string> | undefined]>([
    ['an API token', { 'x-api-key': KEY }, { 'x-api-key': KEY }],
    ['a key of something else', { 'x-api-key': 'AIzaSyD-0123' }, undefined],
    ['two keys joined', { 'x-api-key': `${KEY}, ${KEY}` }, undefined],
    ['a bearer', { authorization: `Bearer ${TOKEN}` }, { authorization: `Bearer ${TOKEN}` }],
    ['a bearer in other letter case', { authorization: `bearer  ${TOKEN}` }, { authorization: `Bearer ${TOKEN}` }],
    ['a bearer that is no token of Qelos', { authorization: 'Bearer opaque-of-another' }, undefined],
    ['a bearer of nothing', { authorization: 'Bearer ' }, undefined],
    ['another scheme', { authorization: `Basic ${TOKEN}` }, undefined],
    ['a session cookie', { cookie: `qlt_0=${TOKEN}` }, { cookie: `qlt_0=${TOKEN}` }],
    ['the cookie of older releases', { cookie: `token=${TOKEN}` }, { cookie: `token=${TOKEN}` }],
    ['a cookie of the host under the same name', { cookie: 'token=1234' }, undefined],
    ['cookies whose names only look alike', { cookie: `xqlt_0=${TOKEN}; qlt=${TOKEN}; csrftoken=${TOKEN}` }, undefined],
    [
      'a session cookie among the host’s',
      { cookie: `sid=secret-of-the-host; qlt_0=${TOKEN};theme=dark` },
      { cookie: `qlt_0=${TOKEN}` },
    ],
    [
      'all that is there, as the server decides by its own order',
      { 'x-api-key': KEY, cookie: `qlt_0=${TOKEN}`, authorization: `Bearer ${TOKEN}`, 'x-impersonate-user': 'u' },
      { 'x-api-key': KEY, cookie: `qlt_0=${TOKEN}`, authorization: `Bearer ${TOKEN}` },
    ],
    ['a line end', { authorization: `Bearer ${TOKEN}\r\nx: y` }, undefined],
    ['nothing', {}, undefined],
  ])('%s', (_name, headers, expected) => {
    expect(taken({ headers })).toEqual(expected);
    expect(taken(headers)).toEqual(expected);
    // The Fetch standard lets no line end into Headers.
    if (!JSON.stringify(headers).includes('\\r')) expect(taken(new Headers(headers))).toEqual(expected);
  });

  it('is read from whatever servers have', () => {
    const message = new IncomingMessage(new Socket());
    message.headers['x-api-key'] = KEY;
    const expected = { 'x-api-key': KEY };
    expect(taken(message)).toEqual(expected);
    expect(taken(new Request('https://plugin.example', { headers: expected }))).toEqual(expected);
    expect(taken({ apiKey: KEY })).toEqual(expected);
    expect(taken({ headers: { 'X-Api-Key': KEY } })).toEqual(expected);
    expect(taken({ get: (name: string) => (name === 'x-api-key' ? KEY : undefined) })).toEqual(expected);
  });

  it('S19 is nothing that somebody put on Object.prototype', () => {
    Object.assign(Object.prototype, { authorization: `Bearer ${TOKEN}` });
    try {
      expect(taken({ headers: {} })).toBeUndefined();
    } finally {
      Reflect.deleteProperty(Object.prototype, 'authorization');
    }
  });

  it.each([undefined, null, 'Bearer x', 7, { headers: null }, { headers: 'x' }])('%p is no source', (source) => {
    expect(() => taken(source)).toThrow(expect.objectContaining({ code: 'ERR_AUTH_CONFIG' }));
  });

  it('takes a long header in no time', () => {
    const started = performance.now();
    for (const text of [`qlt_${'a'.repeat(100_000)}`, 'qlt_0=;'.repeat(20_000), `Bearer ${' '.repeat(100_000)}`]) {
      taken({ cookie: text, authorization: text, apiKey: text });
    }
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
