import { beforeEach, describe, expect, it } from '@jest/globals';
import { type Account, Credential, type TenantAuth, type TenantAuthOptions, type TenantConfig } from '../../src';
import { failureOf } from '../strategies/obtaining';
import { type Backend, sendJson, startBackend } from '../support/backend';
import { settableClock } from '../support/clock';
import { hurry } from '../support/hurry';
import { openTenants, strategyOf } from './open';

const ME = '/api/me';

let oldOne: Backend;
let newOne: Backend;
let settings: TenantConfig;
let loads: number;

const tokenAt = ({ url, apiToken }: Backend): TenantConfig => ({ url, apiToken });
const sessionAt = ({ url, username, password }: Backend): TenantConfig => ({ url, username, password });
const sentTo = ({ received }: Backend) => received.length;

beforeEach(async () => {
  oldOne = await startBackend();
  newOne = await startBackend();
  loads = 0;
});

function open(options?: TenantAuthOptions): TenantAuth {
  return openTenants(() => {
    loads++;
    return settings;
  }, options);
}

describe('S12 settings that were wrong from the start', () => {
  beforeEach(hurry);

  it.each<[string, (wrong: Backend) => TenantConfig | Promise<TenantConfig>, number]>([
    ['a URL where somebody else answers', sessionAt, 30_001],
    [
      'a URL where nobody answers',
      async (wrong) => {
        await wrong.close();
        return tokenAt(wrong);
      },
      1_001,
    ],
    ['a token that is refused', (wrong) => ({ url: wrong.url, apiToken: 'ql_wrong' }), 30_001],
  ])('%s: corrected, the tenant works without forget()', async (_name, make, pauseMs) => {
    const clock = settableClock();
    const tenants = open();
    oldOne.on('/api/signin', (_request, response) => sendJson(response, 401, {}));
    settings = await make(oldOne);
    await failureOf(tenants.for('acme'));
    settings = tokenAt(newOne);
    clock.advance(pauseMs);
    const { http } = await tenants.for('acme');
    expect((await http.get(ME)).status).toBe(200);
    expect(newOne.to(ME)).toHaveLength(2); // the check of the token, and the call
    expect(tenants.size).toBe(1);
  });
});

describe('S12 a tenant that has moved', () => {
  beforeEach(hurry);

  /** A session that the old instance has ended, of which its tenant does not know yet. */
  async function ended(tenants: TenantAuth): Promise<Account> {
    const clock = settableClock();
    // Its life is over by the clock, and its refresh token is refused.
    settings = sessionAt(oldOne);
    oldOne.on('/api/signin', (_request, response) => sendJson(response, 200, { payload: session() }));
    const handle = await tenants.for('acme');
    oldOne.on('/api/token/refresh', (_request, response) => sendJson(response, 401, {}));
    clock.advance(120_000);
    return handle;
  }

  const session = () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = Buffer.from(JSON.stringify({ iat: now, exp: now + 60 })).toString('base64url');
    return {
      token: `e30.${claims}.s`,
      refreshToken: 'r',
      user: { username: 'someone', email: 'x@null', roles: ['admin'] },
    };
  };

  it('and whose session was refused gets a handle for the new URL, without forget(), for all callers', async () => {
    const tenants = open();
    await ended(tenants);
    settings = tokenAt(newOne);
    const handles = await Promise.all(Array.from({ length: 20 }, () => tenants.for('acme')));
    expect(new Set(handles.map(({ http }) => http.defaults.baseURL))).toEqual(new Set([newOne.url]));
    expect((await handles[7]?.http.get(ME))?.status).toBe(200);
    expect(newOne.to(ME)).toHaveLength(2); // one check of the token for all of them
    expect(loads).toBe(3); // the first, the one that finds it moved, the one of its successor
    expect(tenants.size).toBe(1);
    expect(oldOne.received.some(({ headers }) => headers['x-api-key'] !== undefined)).toBe(false);
  });

  it.each<[string, (old: Backend) => unknown]>([
    ['is gone', (old) => old.close()],
    ['is out of order', (old) => old.on('/api/token/refresh', (_request, response) => sendJson(response, 503, {}))],
    [
      'is a page of somebody else',
      (old) => old.on('/api/token/refresh', (_request, response) => response.end('<html>')),
    ],
  ])('and whose old instance %s gets one too', async (_name, leave) => {
    const tenants = open();
    await ended(tenants);
    await leave(oldOne);
    settings = tokenAt(newOne);
    expect((await (await tenants.for('acme')).http.get(ME)).status).toBe(200);
  });

  it('not: an outage of its instance stays one, and its settings are loaded no oftener than it is asked', async () => {
    const tenants = open();
    await ended(tenants);
    oldOne.on('/api/token/refresh', (_request, response) => sendJson(response, 503, {}));
    const before = oldOne.to('/api/token/refresh').length;
    for (let i = 0; i < 5; i++) {
      expect(await failureOf(tenants.for('acme'))).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', httpStatus: 503 });
    }
    expect(loads - 1).toBe(oldOne.to('/api/token/refresh').length - before);
  });

  it('not: a session that was refused is signed in again with one load', async () => {
    const tenants = open();
    await ended(tenants);
    await tenants.for('acme');
    expect(loads).toBe(2);
  });

  it('says so to its old handles too where its old instance is gone', async () => {
    const tenants = open();
    const { http } = await ended(tenants);
    await oldOne.close();
    settings = tokenAt(newOne);
    expect(await failureOf(http.get(ME))).toMatchObject({ message: expect.stringContaining('url has changed') });
    expect(sentTo(newOne)).toBe(0);
  });

  it('leaves its old handles an error that says so, then one that says where to get a new one', async () => {
    const tenants = open();
    settings = tokenAt(oldOne);
    const { http } = await tenants.for('acme');
    oldOne.on(ME, (_request, response) => sendJson(response, 401, {}));
    settings = tokenAt(newOne);
    expect(await failureOf(http.get(ME))).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      message: expect.stringMatching(/^Tenant "acme": Its url has changed/),
      hint: expect.stringContaining('for()'),
    });
    expect(sentTo(newOne)).toBe(0);
    expect((await (await tenants.for('acme')).http.get(ME)).status).toBe(200);
    const before = sentTo(oldOne);
    expect(await failureOf(http.get(ME))).toMatchObject({
      code: 'ERR_AUTH_CLOSED',
      message: expect.stringMatching(/^Tenant "acme": /),
      hint: expect.stringContaining('moved'),
    });
    expect([sentTo(oldOne), tenants.size]).toEqual([before, 1]);
  });

  it('and moves back before anybody asked for a handle keeps the ones it has', async () => {
    const clock = settableClock();
    const tenants = open();
    settings = tokenAt(oldOne);
    const { http } = await tenants.for('acme');
    const successor = 'ql_successor';
    oldOne.on(ME, ({ headers }, response) =>
      sendJson(response, headers['x-api-key'] === successor ? 200 : 401, { _id: '1' }),
    );
    settings = tokenAt(newOne);
    await failureOf(http.get(ME));
    settings = { url: oldOne.url, apiToken: successor };
    clock.advance(30_001);
    expect((await http.get(ME)).status).toBe(200);
    expect((await (await tenants.for('acme')).http.get(ME)).status).toBe(200);
    expect((await http.get(ME)).status).toBe(200);
    expect(sentTo(newOne)).toBe(0);
  });
});

describe('S12 what comes too late changes nothing', () => {
  /** Two sign-ins of one tenant at one URL: the first is given up, and its `late` part goes on when the second is done. */
  async function inTwoTries(late: 'load' | 'sign-in'): Promise<{ told: string[]; used: string[] }> {
    const clock = settableClock();
    const told: string[] = [];
    const used: string[] = [];
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let tries = 0;
    const tenants = openTenants(
      async () => {
        if (++tries === 1 && late === 'load') await held;
        return { url: newOne.url, strategy: tries === 1 ? 'old' : 'new' };
      },
      {
        timeoutMs: 100,
        strategies: (_config, _tenant) =>
          ['old', 'new'].map((name) => ({
            ...strategyOf(name, newOne.apiToken),
            signIn: async () => {
              if (name === 'old' && late === 'sign-in') await held;
              return Credential.apiKey(name === 'old' ? 'ql_old' : newOne.apiToken);
            },
            authorize: (request, credential) => {
              used.push(name);
              credential.applyTo(request.headers);
            },
          })),
      },
    );
    tenants.on('strategySelected', ({ strategy }) => told.push(strategy));
    await failureOf(tenants.for('acme'));
    clock.advance(1_001);
    const { http } = await tenants.for('acme');
    release();
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    expect((await http.get(ME)).status).toBe(200);
    return { told, used };
  }

  it.each<['load' | 'sign-in', string[]]>([
    ['load', ['new']],
    ['sign-in', ['old', 'new']],
  ])('a %s', async (late, told) => {
    expect(await inTwoTries(late)).toEqual({ told, used: ['new'] });
  });
});
