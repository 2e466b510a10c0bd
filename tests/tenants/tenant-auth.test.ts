import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  type AuthContext,
  AuthError,
  type AuthStrategy,
  Credential,
  isAuthError,
  TenantAuth,
  type TenantAuthOptions,
  type TenantConfig,
} from '../../src';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { failureOf } from '../strategies/obtaining';
import { startBackend } from '../support/backend';
import { runChild } from '../support/child';
import { settableClock } from '../support/clock';
import { EVENT_NAMES } from '../support/event-names';
import { leaks } from '../support/secrets';
import { whenDone } from '../support/when-done';

const ME = '/api/me';
const SIGN_IN = '/api/signin';
const REFRESH = '/api/token/refresh';

/** Two instances; `a…` tenants are users of the first, `b…` of the second. */
let first: QelosServer;
let second: QelosServer;
let settings: Map<string, TenantConfig>;
let loads: string[];

beforeEach(async () => {
  const users = Array.from({ length: 6 }, (_, i) => ({ username: `user-${i}`, password: `password-of-${i}` }));
  first = await startQelosServer({ users });
  second = await startQelosServer({ users });
  settings = new Map();
  loads = [];
  for (const [i, { username, password }] of users.entries()) {
    settings.set(`a${i}`, { url: first.url, username, password });
    settings.set(`b${i}`, { url: second.url, apiToken: second.issueApiToken({ username }) });
  }
});

afterEach(async () => {
  await first.close();
  await second.close();
});

function open(options: TenantAuthOptions = {}, load?: (id: string) => Promise<TenantConfig | undefined>): TenantAuth {
  const tenants = new TenantAuth(async (id) => {
    loads.push(id);
    return load ? load(id) : settings.get(id);
  }, options);
  whenDone(() => tenants.close());
  return tenants;
}

const whoIs = async (tenants: TenantAuth, id: string) => (await (await tenants.for(id)).http.get(ME)).data.username;
const signIns = () => first.requests.count({ path: SIGN_IN });
const refreshes = () => first.requests.count({ path: REFRESH });
const FIFTY = Array.from({ length: 50 });

describe('tenants', () => {
  it('each get their own instance and account, by every way in', async () => {
    const tenants = open();
    for (const i of [0, 1, 2]) {
      expect(await whoIs(tenants, `a${i}`)).toBe(`user-${i}`);
      const { sdk, fetch } = await tenants.for(`b${i}`);
      expect((await sdk.authentication.getLoggedInUser()).username).toBe(`user-${i}`);
      expect(await (await fetch(ME)).json()).toMatchObject({ username: `user-${i}` });
    }
    expect(tenants.size).toBe(6);
    expect(loads).toHaveLength(6);
  });

  it('50 calls at once for a cold one: one load, one sign-in', async () => {
    const tenants = open();
    const names = await Promise.all(FIFTY.map(() => whoIs(tenants, 'a0')));
    expect(new Set(names)).toEqual(new Set(['user-0']));
    expect(loads).toEqual(['a0']);
    expect(signIns()).toBe(1);
  });

  it('F57 F21 50 calls at once for each of several whose session has ended: one refresh each, nothing crosses over', async () => {
    const tenants = open();
    const ids = ['a0', 'a1', 'a2'];
    for (const id of ids) await whoIs(tenants, id);
    first.expireAccessTokens();
    await Promise.all(
      ids.flatMap((id, i) => FIFTY.map(async () => expect(await whoIs(tenants, id)).toBe(`user-${i}`))),
    );
    // Qelos refuses good refresh tokens of different sessions now and then, and then they are sent again.
    expect(refreshes()).toBeGreaterThanOrEqual(3);
    expect(signIns() + loads.length).toBe(6);
  });

  it('are asked for by signIn() too', async () => {
    const { strategy, user } = await (await open().for('a1')).signIn();
    expect([strategy, user.username]).toEqual(['oauth-refresh', 'user-1']);
    expect(first.requests.count({ path: ME })).toBe(1); // nothing of the user is kept for that
  });

  it('may have strategies of their own, which may sign', async () => {
    const tenants = open({
      strategies: ({ url }, tenant) => [
        {
          name: 'own',
          missing: () => (tenant === 'b0' ? [] : ['OWN']),
          async signIn({ http }: AuthContext) {
            expect(http.defaults.baseURL).toBe(url);
            return Credential.headers({ 'x-own': tenant });
          },
          authorize(request, credential) {
            credential.applyTo(request.headers);
            request.headers.set('x-api-key', settings.get('b0')?.apiToken ?? '');
          },
        },
      ],
    });
    expect(await whoIs(tenants, 'b0')).toBe('user-0');
    const chosen: unknown[] = [];
    tenants.on('strategySelected', (detail) => chosen.push(detail));
    await tenants.for('b1');
    expect(chosen).toEqual([
      { instance: 'b1', tenant: 'b1', strategy: 'api-token', skipped: [{ name: 'own', missing: ['OWN'] }] },
    ]);
  });
});

describe('a tenant that fails stops alone, and says which it is', () => {
  it('a refused password: 1 sign-in for 50 calls, remembered; the others go on; a new password is picked up', async () => {
    const clock = settableClock();
    const tenants = open();
    settings.set('a0', { url: first.url, username: 'user-0', password: 'wrong-password' });
    const errors = await Promise.all(FIFTY.map(() => failureOf(tenants.for('a0'))));
    expect(errors[7]).toMatchObject({
      code: 'ERR_AUTH_REFUSED',
      message: 'Tenant "a0": QELOS_USERNAME and QELOS_PASSWORD were refused (HTTP status 401).',
      retryAfterMs: 30_000,
    });
    expect(errors.flatMap((error) => leaks(error, ['wrong-password']))).toEqual([]);
    expect(await whoIs(tenants, 'a1')).toBe('user-1');
    expect(signIns()).toBe(2);
    settings.set('a0', { url: first.url, username: 'user-0', password: 'password-of-0' });
    await failureOf(tenants.for('a0'));
    clock.advance(30_001);
    expect(await whoIs(tenants, 'a0')).toBe('user-0');
    expect(loads.filter((id) => id === 'a0')).toHaveLength(2);
  });

  it('an instance that is down', async () => {
    const tenants = open();
    second.fail(ME, { status: 503, headers: { 'retry-after': '60' } });
    expect(await failureOf(tenants.for('b0'))).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', httpStatus: 503 });
    expect(await whoIs(tenants, 'a0')).toBe('user-0');
  });

  it.each<[string, () => Promise<TenantConfig | undefined>, object]>([
    ['there is no such tenant', async () => undefined, { code: 'ERR_AUTH_CONFIG', retryable: false }],
    [
      'the load fails: an outage, whose text is not shown',
      async () => {
        throw new Error('secret of the database');
      },
      {
        code: 'ERR_AUTH_UNAVAILABLE',
        retryable: true,
        message: 'Tenant "x": Its settings could not be loaded: Error was thrown.',
      },
    ],
    [
      'the load says it in its own words',
      async () => {
        throw new AuthError('ERR_AUTH_UNAVAILABLE', 'The vault is sealed.', { hint: 'Unseal it.', retryable: true });
      },
      { code: 'ERR_AUTH_UNAVAILABLE', message: 'Tenant "x": The vault is sealed.', hint: 'Unseal it.' },
    ],
    [
      'the URL is none',
      async () => ({ url: 'x' }),
      { code: 'ERR_AUTH_CONFIG', message: expect.stringMatching(/"x": QELOS_URL/) },
    ],
    ['http: elsewhere', async () => ({ url: 'http://x.example', apiToken: 't' }), { code: 'ERR_AUTH_INSECURE_URL' }],
    ['nothing to sign in with', async () => ({ url: 'https://x.example' }), { code: 'ERR_AUTH_NO_STRATEGY' }],
  ])('%s: one load for 50 calls', async (_name, load, expected) => {
    const tenants = open({}, async (id) => (id === 'x' ? load() : settings.get(id)));
    const errors = await Promise.all(FIFTY.map(() => failureOf(tenants.for('x'))));
    expect(errors[3]).toMatchObject(expected);
    expect(await failureOf(tenants.for('x'))).toMatchObject({ retryAfterMs: expect.any(Number) });
    expect(loads).toEqual(['x']);
    expect(errors.flatMap((error) => leaks(error, ['secret of the database']))).toEqual([]);
    expect(await whoIs(tenants, 'b0')).toBe('user-0');
  });

  it('a load that never ends is given up after timeoutMs', async () => {
    const tenants = open({ timeoutMs: 50 }, () => new Promise(() => {}));
    expect(await failureOf(tenants.for('x'))).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', retryable: true });
  });

  it('a name that is no text of one line does not break the log', async () => {
    const tenants = open();
    expect((await failureOf(tenants.for(`x\n${'y'.repeat(1_000)}`))).message).toMatch(/^Tenant "x\\ny{98}": [^\n]+$/);
  });

  it.each([0, -1, 1.5, Number.NaN])('max %p is refused', (max) => {
    expect(() => new TenantAuth(() => undefined, { max })).toThrow(
      expect.objectContaining({ code: 'ERR_AUTH_CONFIG' }),
    );
  });
});

it('credentials that travel readable are warned of, once', async () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const own = { name: 'own', missing: () => [], signIn: async () => Credential.apiKey('k') };
  const config = { url: 'http://x.example', allowInsecureUrl: true };
  const tenants = open({ strategies: () => [own] }, async () => config);
  for (const id of ['x', 'y', 'x']) await tenants.for(id);
  expect(warn.mock.calls).toEqual([[expect.stringContaining('allowInsecureUrl'), expect.anything()]]);
});

it('a load that comes too late undoes nothing that a later one has found', async () => {
  const clock = settableClock();
  const late: (() => void)[] = [];
  const token = first.issueApiToken({ username: 'user-0' });
  const strategies: TenantAuthOptions['strategies'] = ({ url }) => [
    { name: url === first.url ? 'new' : 'old', missing: () => [], signIn: async () => Credential.apiKey(token) },
  ];
  const tenants = open({ timeoutMs: 200, strategies }, async () => {
    if (loads.length > 1) return { url: first.url };
    await new Promise<void>((resolve) => late.push(resolve));
    return { url: second.url };
  });
  const chosen: string[] = [];
  tenants.on('strategySelected', ({ strategy }) => chosen.push(strategy));
  await failureOf(tenants.for('a0'));
  clock.advance(1_000);
  const { http } = await tenants.for('a0');
  for (const open of late) open();
  await new Promise(setImmediate);
  expect((await http.get(ME)).status).toBe(200);
  expect(chosen).toEqual(['new']);
  expect(second.requests.count()).toBe(0);
});

describe('settings that change', () => {
  it('an API token that was revoked and replaced is picked up without a failed call', async () => {
    const tenants = open();
    const { http } = await tenants.for('b0');
    second.revokeApiToken(settings.get('b0')?.apiToken ?? '');
    settings.set('b0', { url: second.url, apiToken: second.issueApiToken({ username: 'user-0' }) });
    const answers = await Promise.all(FIFTY.map(() => http.get(ME)));
    expect(answers.every(({ status, data }) => status === 200 && data.username === 'user-0')).toBe(true);
    expect(loads).toEqual(['b0', 'b0']);
  });

  it('a URL that changes under a handle: the new credential is not sent to the old one', async () => {
    const tenants = open();
    const { http } = await tenants.for('b0');
    const token = first.issueApiToken({ username: 'user-0' });
    second.revokeApiToken(settings.get('b0')?.apiToken ?? '');
    settings.set('b0', { url: first.url, apiToken: token });
    const error = await failureOf(http.get(ME));
    expect(error).toMatchObject({ code: 'ERR_AUTH_CONFIG', message: expect.stringContaining('url has changed') });
    expect(first.requests.count()).toBe(0);
    expect(tenants.forget('b0')).toBe(true);
    expect(await whoIs(tenants, 'b0')).toBe('user-0');
    expect(await failureOf(http.get(ME))).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
  });

  it('W04 another workspace, user or strategy: what went before says nothing of where the session belongs', async () => {
    const workspaces = ['First', 'Second'].map((name, i) => ({ name, _id: `65f00000000000000000000${i}` }));
    const server = await startQelosServer({
      users: ['ada', 'bob'].map((username) => ({ username, password: `password-of-${username}`, workspaces })),
    });
    whenDone(() => server.close());
    const as = (username: string, workspace?: string): TenantConfig => {
      const named = workspace === undefined ? {} : { workspace };
      return { url: server.url, username, password: `password-of-${username}`, ...named };
    };
    const claims = Buffer.from(JSON.stringify({ workspace: { _id: 'of another system' } })).toString('base64url');
    const custom: AuthStrategy = {
      name: 'custom',
      missing: () => [],
      signIn: async () => Credential.bearer(`e30.${claims}.s`),
    };
    const tenants = open({ strategies: ({ strategy }) => (strategy === 'custom' ? [custom] : []) }, async () => config);
    let config: TenantConfig = { ...as('ada'), strategy: 'custom' };
    const { http } = await tenants.for('acme');
    for (const [next, name] of [
      [as('ada'), 'First'],
      [as('ada', workspaces[1]?._id), 'Second'],
      [as('ada', workspaces[0]?._id), 'First'],
      [as('bob', workspaces[1]?._id), 'Second'],
      [as('ada'), 'First'],
    ] as const) {
      config = next;
      server.expireAccessTokens();
      expect((await http.get(ME)).data).toMatchObject({ username: next.username, workspace: { name } });
    }
  });

  it('forget() tries at once what was refused', async () => {
    const tenants = open();
    settings.set('a0', { url: first.url, username: 'user-0', password: 'wrong-password' });
    await failureOf(tenants.for('a0'));
    settings.set('a0', { url: first.url, username: 'user-0', password: 'password-of-0' });
    tenants.forget('a0');
    expect(await whoIs(tenants, 'a0')).toBe('user-0');
    expect(tenants.forget('nobody')).toBe(false);
  });
});

describe('the pool', () => {
  it('keeps the ones used last; a call through a handle is a use', async () => {
    const tenants = open({ max: 2 });
    const { http } = await tenants.for('a0');
    await tenants.for('a1');
    await http.get(ME); // a1 is now the one used longest ago
    await tenants.for('a2');
    expect(tenants.size).toBe(2);
    await tenants.for('a0');
    expect(loads).toEqual(['a0', 'a1', 'a2']);
  });

  it('never has a second session beside that of a tenant which had to make room and is still in use', async () => {
    const tenants = open({ max: 1 });
    const { http } = await tenants.for('a0');
    await tenants.for('a1'); // a0 has to make room
    first.expireAccessTokens();
    const [one, other] = await Promise.all([http.get(ME), whoIs(tenants, 'a0')]);
    expect([one.data.username, other]).toEqual(['user-0', 'user-0']);
    expect(tenants.size).toBe(1);
    expect(signIns()).toBe(2);
    expect(refreshes()).toBe(1);
    expect(loads).toEqual(['a0', 'a1']);
  });

  it('pins a tenant with a flight under way: it is over max for that long, and no longer', async () => {
    const gate: (() => void)[] = [];
    const tenants = open({ max: 1 }, async (id) => {
      await new Promise<void>((resolve) => gate.push(resolve));
      return settings.get(id);
    });
    const calls = ['a0', 'a1', 'a2'].map((id) => tenants.for(id));
    for (let turn = 0; turn < 100 && gate.length < 3; turn++) await new Promise(setImmediate);
    expect(tenants.size).toBe(3);
    const late = tenants.for('a0'); // joins the flight that is under way
    for (const open of gate) open();
    await Promise.all([...calls, late]);
    expect(loads).toEqual(['a0', 'a1', 'a2']);
    expect(signIns()).toBe(3);
    expect(tenants.size).toBe(1);
  });

  it('eviction while a refresh is in flight spends its refresh token once', async () => {
    const backend = await startBackend();
    const { url, username, password } = backend;
    settings.set('c0', { url, username, password });
    const tenants = open({ max: 1 });
    const { http } = await tenants.for('c0');
    backend.expire();
    const held: (() => void)[] = [];
    backend.on(REFRESH, (...exchange) => held.push(() => backend.replay(...exchange)));
    const call = http.get(ME);
    for (let turn = 0; turn < 10_000 && backend.to(REFRESH).length === 0; turn++) await new Promise(setImmediate);
    await tenants.for('b0'); // another one needs the room
    const again = whoIs(tenants, 'c0');
    backend.on(REFRESH, () => false);
    for (const answer of held) answer();
    expect([(await call).status, await again]).toEqual([200, username]);
    expect(backend.to(REFRESH)).toHaveLength(1);
    expect(backend.to(SIGN_IN)).toHaveLength(1);
    expect(loads).toEqual(['c0', 'b0']);
  });

  it('hands out what calls are made with, and nothing that only an owner of a credential can do', async () => {
    const account = await open().for('a0');
    const isThere = (name: string) => name in account;
    expect(['http', 'fetch', 'sdk', 'signIn', 'attach'].filter(isThere)).toHaveLength(5);
    expect(['close', 'for', 'on', 'status', 'strategy'].filter(isThere)).toEqual([]);
  });

  it('ends with close(): handles and for() get ERR_AUTH_CLOSED', async () => {
    const tenants = open({ max: 1 });
    const handles = [await tenants.for('a0'), await tenants.for('a1')];
    await tenants.close();
    for (const { http } of handles) expect(await failureOf(http.get(ME))).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
    expect(await failureOf(tenants.for('a2'))).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
    expect(tenants.size).toBe(0);
  });
});

it('events carry the tenant, and no secret', async () => {
  const tenants = open();
  const told: [string, { tenant: string }][] = [];
  for (const event of EVENT_NAMES) tenants.on(event, (detail) => told.push([event, detail]));
  await Promise.all(['a0', 'b1'].map((id) => whoIs(tenants, id)));
  first.expireAccessTokens();
  await whoIs(tenants, 'a0');
  expect(told.map(([event, { tenant }]) => `${tenant} ${event}`).sort()).toEqual([
    'a0 refreshed',
    'a0 requestRetried',
    'a0 signedIn',
    'a0 strategySelected',
    'b1 signedIn',
    'b1 strategySelected',
  ]);
  const secrets = [...settings.values()].flatMap(({ password, apiToken }) => [password ?? '', apiToken ?? '']);
  expect(leaks([told, tenants, await tenants.for('a0')], secrets.filter(Boolean))).toEqual([]);
});

it('what is thrown is an AuthError of its own for each caller', async () => {
  const tenants = open();
  const [one, other] = await Promise.all([failureOf(tenants.for('nobody')), failureOf(tenants.for('nobody'))]);
  expect(isAuthError(one) && isAuthError(other) && one !== other).toBe(true);
});

describe('memory', () => {
  it('tenants that had to make room, and handles that were let go of, keep none', async () => {
    const { stdout, stderr } = await runChild('tenants-memory.ts', { kind: 'apiToken', tenants: 11_000, max: 1_000 }, [
      '--expose-gc',
    ]);
    expect(stderr).toBe('');
    const { size, bytes } = JSON.parse(stdout);
    expect(size).toBe(1_000);
    // Warming up costs 2 MB, whatever their number; kept, each would take 900 B.
    expect(bytes).toBeLessThanOrEqual(300);
  }, 120_000);

  it.each([
    [100_000, 'API tokens', 'apiToken'],
    [20_000, 'short bearer tokens', 'bearer'],
  ])(
    '%i tenants with %s take at most 1 kB each',
    async (tenants, _name, kind) => {
      const { stdout, stderr } = await runChild('tenants-memory.ts', { kind, tenants }, ['--expose-gc']);
      expect(stderr).toBe('');
      const { size, bytes } = JSON.parse(stdout);
      expect(size).toBe(tenants);
      expect(bytes).toBeGreaterThan(100); // it did measure something
      expect(bytes).toBeLessThanOrEqual(1_000);
    },
    240_000,
  );
});
