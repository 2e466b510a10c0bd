import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import axios from 'axios';
import type { QelosAuth } from '../../src';
import { Verifier } from '../../src/acting/verify';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { failureOf } from '../strategies/obtaining';
import { settableClock } from '../support/clock';
import { expectNoSecret } from '../support/sinks';
import { openAuth } from '../support/ways';

const ME = '/api/me';

let server: QelosServer;
let auth: QelosAuth;
let apiKey: string;

beforeEach(async () => {
  server = await startQelosServer();
  auth = openAuth({ config: { url: server.url, apiToken: server.issueApiToken({ username: 'admin' }) } });
  apiKey = server.issueApiToken({ username: 'user' });
});
afterEach(() => server.close());

const asked = () => server.requests.count({ path: ME });

describe('whose credential came in', () => {
  it('is the user as GET /api/me has it', async () => {
    expect(await auth.verify({ headers: { 'x-api-key': apiKey } })).toMatchObject({
      username: 'user',
      roles: ['user'],
    });
    expect(asked()).toBe(1);
  });

  it('is nobody without a credential, and nothing is asked', async () => {
    expect(await auth.verify({ headers: { cookie: 'sid=1', authorization: 'Basic eA==' } })).toBeUndefined();
    expect(server.requests.count()).toBe(0);
  });

  it('is nobody if Qelos refuses it', async () => {
    server.revokeApiToken(apiKey);
    expect(await auth.verify({ apiKey })).toBeUndefined();
    expect(await auth.verify({ authorization: 'Bearer e30.e30.e30' })).toBeUndefined();
    expect(await auth.verify({ cookie: 'qlt_0=e30.e30.e30' })).toBeUndefined();
  });

  it('F20 one question for many requests at once', async () => {
    const users = await Promise.all(Array.from({ length: 100 }, () => auth.verify({ apiKey })));
    expect(users.every((user) => user?.username === 'user')).toBe(true);
    expect(asked()).toBe(1);
  });

  it('is remembered for ten seconds, or as long as the caller says', async () => {
    const clock = settableClock();
    await auth.verify({ apiKey });
    clock.advance(9_000);
    await auth.verify({ apiKey });
    expect(asked()).toBe(1);
    await auth.verify({ apiKey }, { maxAgeMs: 5_000 });
    expect(asked()).toBe(2);
    await auth.verify({ apiKey }, { maxAgeMs: 0 });
    expect(asked()).toBe(3);
    clock.advance(10_001);
    server.revokeApiToken(apiKey);
    expect(await auth.verify({ apiKey })).toBeUndefined();
    await auth.verify({ apiKey });
    expect(asked()).toBe(4); // a refusal is remembered too
  });

  it('gives each caller an object of its own', async () => {
    const [first, second] = await Promise.all([auth.verify({ apiKey }), auth.verify({ apiKey })]);
    first?.roles.push('admin');
    expect(second?.roles).toEqual(['user']);
    expect((await auth.verify({ apiKey }))?.roles).toEqual(['user']);
  });

  it.each([-1, Number.NaN, 'soon'])('maxAgeMs %p is refused', async (maxAgeMs) => {
    expect(await failureOf(auth.verify({ apiKey }, { maxAgeMs: maxAgeMs as number }))).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
    });
  });

  it('F54 keeps nothing of the credential where it could be printed', async () => {
    await auth.verify({ apiKey });
    expectNoSecret(auth, [apiKey]);
  });

  it('F56 ends with the plugin’s authentication', async () => {
    await auth.close();
    expect(await failureOf(auth.verify({ apiKey }))).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
  });
});

describe('an outage is an error, never nobody', () => {
  it.each<[string, Parameters<QelosServer['fail']>[1], string]>([
    ['503', { status: 503, headers: { 'retry-after': '7' } }, 'ERR_AUTH_UNAVAILABLE'],
    ['500', { status: 500 }, 'ERR_AUTH_UNAVAILABLE'],
    ['a reset', 'reset', 'ERR_AUTH_UNAVAILABLE'],
    ['a web page', 'html', 'ERR_AUTH_BAD_RESPONSE'],
    ['half a body', 'broken-json', 'ERR_AUTH_BAD_RESPONSE'],
    ['404', { status: 404 }, 'ERR_AUTH_BAD_RESPONSE'],
    ['403 of something in front', { status: 403 }, 'ERR_AUTH_REFUSED'],
    ['a redirect', { redirect: 'https://other.example/login' }, 'ERR_AUTH_REDIRECT'],
    // Recorded: what an auth service answers whose database is closed.
    [
      'a key not looked up',
      { status: 401, body: { message: 'API token authentication failed' } },
      'ERR_AUTH_UNAVAILABLE',
    ],
  ])('W06 %s', async (_name, fault, code) => {
    server.fail(ME, fault, 1);
    const error = await failureOf(auth.verify({ apiKey }));
    expect(error).toMatchObject({ code, name: 'AuthError' });
    expectNoSecret(error, [apiKey]);
    expect(await auth.verify({ apiKey })).toMatchObject({ username: 'user' }); // it is not remembered
  });

  it('S03 a server that does not answer ends by the time-out of http', async () => {
    const own = openAuth({ config: { url: server.url, apiToken: 'ql_1' }, axios: { timeout: 200 } });
    server.fail(ME, 'hang', 1);
    expect(await failureOf(own.verify({ apiKey }))).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', retryable: true });
  });

  it('each of those who wait gets an error of its own', async () => {
    server.fail(ME, { status: 503 }, 1);
    const [a, b] = await Promise.all([failureOf(auth.verify({ apiKey })), failureOf(auth.verify({ apiKey }))]);
    expect(a).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE' });
    expect(b).not.toBe(a);
  });
});

it('keeps a bounded number of answers', async () => {
  const askedFor: unknown[] = [];
  const client = axios.create({
    adapter: async (config) => {
      askedFor.push(config.headers['x-api-key']);
      return { status: 200, statusText: '', headers: {}, config, data: { _id: '1' } };
    },
  });
  const verifier = new Verifier(() => client, 1_000);
  for (let i = 0; i <= 1_000; i++) await verifier.verify({ apiKey: `ql_${i}` });
  await verifier.verify({ apiKey: 'ql_1000' });
  expect(askedFor).toHaveLength(1_001);
  await verifier.verify({ apiKey: 'ql_0' });
  expect(askedFor).toHaveLength(1_002);
});
