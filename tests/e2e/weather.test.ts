import { Readable } from 'node:stream';
import { describe, expect, it, jest } from '@jest/globals';
import { isAxiosError } from 'axios';
import { isAuthError } from '../../src';
import {
  type QelosServer,
  type QelosServerFault,
  type QelosServerOptions,
  type QelosServerUser,
  startQelosServer,
} from '../../src/testing';
import { startBackend } from '../support/backend';
import { settableClock, speedUp } from '../support/clock';
import { type Ended, setTime, Traffic } from '../support/set-time';
import { unsteady } from '../support/unsteady';
import { openAuth, ways } from '../support/ways';
import { whenDone } from '../support/when-done';

const ME = '/api/me';
const SIGN_IN = '/api/signin';
const REFRESH = '/api/token/refresh';
const LIFE_MS = 3_600_000;

/** A server whose tokens live an hour, and the account of its first user at another address of it. */
async function startServer(options: QelosServerOptions = {}) {
  const server = await startQelosServer({ accessTokenSeconds: LIFE_MS / 1_000, ...options });
  whenDone(() => server.close());
  const { username, password } = server.users[0] as { username: string; password: string };
  return { server, port: Number(new URL(server.url).port), account: { url: server.url, username, password } };
}

const statusOf = (call: Promise<{ status: number }>) => call.then(({ status }) => status);
const failures = (ended: readonly Ended[]) => ended.filter(({ answer }) => answer !== 200);

/** A small linear congruential generator, so that the weather is the same each time. */
function chance(): () => number {
  let state = 7;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

it.each(ways)(
  'W01: with 30 % of connections cut, only calls fail whose own connection was cut, through $name',
  async ({ open, send }) => {
    const server = await startQelosServer({ accessTokenSeconds: 1 });
    whenDone(() => server.close());
    const next = chance();
    const way = await unsteady(Number(new URL(server.url).port), () => (next() < 0.3 ? 'cut' : undefined));
    const { username, password } = server.users[0] as { username: string; password: string };
    const auth = open({ config: { url: way.url, username, password } });
    const outcomes = { answered: 0, cut: 0 };
    const others: unknown[] = [];
    const end = Date.now() + 3_000;
    const caller = async () => {
      for (let call = 0; call < 500 && Date.now() < end; call++) {
        try {
          const { status } = await send(auth, { path: '/api/me' });
          if (status === 200) outcomes.answered += 1;
          else others.push(status);
        } catch (error) {
          const cause = isAxiosError(error) ? error : (error as Error).cause;
          const isOwn = !isAuthError(error) && isAxiosError(cause) && cause.response === undefined;
          if (isOwn) outcomes.cut += 1;
          else others.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, caller));
    expect(others).toEqual([]);
    expect(outcomes.answered).toBeGreaterThan(20);
    expect(way.cut()).toBeGreaterThan(2);
    expect(server.requests.count({ path: '/api/token/refresh' })).toBeGreaterThan(0);
  },
  30_000,
);

describe.each(ways)('W02 a renewal that fails for a moment, through $name', ({ open, send }) => {
  const faults: [string, QelosServerFault][] = [
    ['is reset', 'reset'],
    ['is answered with 503', { status: 503 }],
  ];

  it.each(faults.flatMap(([name, fault]) => [1, 3, 5].map((times) => [name, times, fault] as const)))(
    '%s %i times in a row: costs none of 20 callers who have 15 s',
    async (_name, times, fault) => {
      const { server, account } = await startServer();
      const time = setTime();
      time.chance = 1;
      const auth = open({ config: account });
      const traffic = new Traffic(time, () => statusOf(send(auth, { path: ME })));
      await traffic.burst(1);
      await time.advance(LIFE_MS);
      server.requests.reset();
      server.fail(REFRESH, fault, times);
      const begun = time.now();
      expect(failures(await traffic.burst(20))).toEqual([]);
      expect(time.now() - begun).toBeLessThan(15_000);
      expect(server.requests.count({ path: REFRESH })).toBe(times + 1);
      expect(server.requests.count({ path: SIGN_IN })).toBe(0);
      expect(server.requests.count({ path: ME })).toBe(20);
    },
  );

  it('a keep-alive connection that has died unnoticed: costs none of 20 callers', async () => {
    const { server, port, account } = await startServer();
    const way = await unsteady(port, () => undefined, true);
    const time = setTime();
    const auth = open({ config: { ...account, url: way.url } });
    const traffic = new Traffic(time, () => statusOf(send(auth, { path: ME })));
    await traffic.burst(1);
    await time.advance(LIFE_MS);
    way.freeze(REFRESH);
    expect(failures(await traffic.burst(20))).toEqual([]);
    expect(way.cut()).toBeGreaterThan(0);
    expect(server.requests.count({ path: REFRESH })).toBe(1);
    expect(server.requests.count({ path: SIGN_IN })).toBe(1);
  });

  it('an answer that is lost has spent the token: one sign-in, and no failed call', async () => {
    const { server, port, account } = await startServer();
    let lost = 0;
    const way = await unsteady(port, () => (lost-- > 0 ? 'lost' : undefined));
    const time = setTime();
    const auth = open({ config: { ...account, url: way.url } });
    const traffic = new Traffic(time, () => statusOf(send(auth, { path: ME })));
    await traffic.burst(1);
    await time.advance(LIFE_MS);
    lost = 1;
    expect(failures(await traffic.burst(20))).toEqual([]);
    expect(way.cut()).toBe(1);
    expect(server.requests.count({ path: REFRESH, status: 200 })).toBe(1);
    expect(server.requests.count({ path: REFRESH, status: 401 })).toBe(3);
    expect(server.requests.count({ path: SIGN_IN })).toBe(2);
  });
});

describe('W03 an outage under load', () => {
  const outages = ways.flatMap((way) =>
    (way.name === 'auth.http' ? [3, 10, 20, 40, 65, 120] : [20]).map((seconds) => ({ ...way, seconds })),
  );

  it.each(outages)(
    '$seconds s without a connection, through $name: calls go on within 5 s of the return, and nobody is hammered',
    async ({ open, send, seconds }) => {
      const { port, account } = await startServer();
      let isDown = false;
      const way = await unsteady(port, () => (isDown ? 'cut' : undefined));
      const time = setTime();
      time.chance = 1;
      const auth = open({ config: { ...account, url: way.url } });
      const traffic = new Traffic(time, () => statusOf(send(auth, { path: ME })));
      await traffic.burst(1);
      await time.advance(LIFE_MS);
      isDown = true;
      for (const { error } of await traffic.flow(seconds * 1_000)) {
        expect(error).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', retryable: true });
      }
      expect(way.cut()).toBeGreaterThan(1);
      expect(way.cut()).toBeLessThanOrEqual(Math.max(seconds, 6)); // a flight tries six times, however short the outage
      isDown = false;
      const back = time.now();
      const after = await traffic.flow(10_000);
      const first = after.find(({ answer }) => answer === 200);
      expect((first?.at ?? Infinity) - back).toBeLessThanOrEqual(5_000);
      expect(failures(after.filter(({ at }) => at > (first?.at ?? 0)))).toEqual([]);
    },
    60_000,
  );
});

describe.each(ways)('W04 a member of two workspaces, through $name', ({ open, send }) => {
  const workspaces = ['First', 'Second'].map((name, i) => ({ name, _id: `65f00000000000000000000${i}` }));
  const users = [
    { username: 'member', password: 'password-of-member', workspaces },
    { username: 'admin', password: 'password-of-admin', roles: ['admin'] },
  ];

  it('signs in elsewhere between renewals: the plugin stays where it is', async () => {
    const { server, account } = await startServer({ users });
    const auth = open({ config: account });
    for (let round = 1; round <= 3; round++) {
      expect((await send(auth, { path: ME })).data).toMatchObject({ workspace: { name: 'First' } });
      expect(server.requests.count({ path: SIGN_IN, status: 200 })).toBe(2 * round - 1);
      await openAuth({ config: { ...account, workspace: workspaces[1]?._id } }).signIn();
      server.expireAccessTokens();
    }
  });

  it('is taken out of the one it works in: nothing is sent from the other, and it goes on once it is back', async () => {
    const { server, account } = await startServer({ users });
    const [member, admin] = server.users as [QelosServerUser, QelosServerUser];
    const keeper = openAuth({ config: { ...account, username: admin.username, password: admin.password } });
    const clock = settableClock();
    const setMembers = (...ids: string[]) =>
      keeper.http.put(`/api/workspaces/${workspaces[0]?._id}`, { members: ids.map((user) => ({ user, roles: [] })) });
    const auth = open({ config: account });
    expect((await send(auth, { path: ME })).data).toMatchObject({ workspace: { name: 'First' } });
    await setMembers(admin._id);
    clock.advance(LIFE_MS);
    server.requests.reset();
    const error = await send(auth, { path: ME }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_AUTH_WORKSPACE', message: expect.stringContaining('to no workspace') });
    expect(server.requests.count({ path: ME })).toBe(0);
    await setMembers(admin._id, member._id);
    clock.advance(30_001);
    expect((await send(auth, { path: ME })).data).toMatchObject({ workspace: { name: 'First' } });
  });
});

describe.each(ways)('W06 a deploy of the auth service, through $name', ({ open, send }) => {
  /** Calls all through a deploy and afterwards, by a plugin that was running before or is started meanwhile. */
  const through = async (seconds: number, kind: 'running' | 'started', config: object, server: QelosServer) => {
    const time = setTime();
    time.chance = 1;
    const auth = open({ config: { url: server.url, ...config } });
    const traffic = new Traffic(time, () => statusOf(send(auth, { path: ME })));
    if (kind === 'running') {
      await traffic.burst(1);
      await time.advance(LIFE_MS);
    }
    server.requests.reset();
    const takeOver = server.deploy();
    const during = await traffic.flow(seconds * 1_000);
    takeOver();
    const back = time.now();
    const after = await traffic.flow(31_000);
    const first = after.find(({ answer }) => answer === 200);
    expect(failures(after.filter(({ at }) => at > (first?.at ?? Infinity)))).toEqual([]);
    return { errors: during.map(({ error }) => error), backAfterMs: (first?.at ?? Infinity) - back };
  };

  it.each([3, 10, 13, 50])('half dead for %i s: a running plugin goes on within 5 s of the end', async (seconds) => {
    const { server, account } = await startServer();
    const { errors, backAfterMs } = await through(seconds, 'running', account, server);
    for (const error of errors) expect(error).toMatchObject({ code: 'ERR_AUTH_REFUSED', retryable: true });
    expect(backAfterMs).toBeLessThanOrEqual(5_000);
    expect(server.requests.count({ path: REFRESH, status: 401 })).toBe(3);
    expect(server.requests.count({ path: SIGN_IN })).toBeLessThanOrEqual(seconds);
  });

  it.each([3, 10, 13, 50])('half dead for %i s: one started meanwhile with an API token, too', async (seconds) => {
    const { server } = await startServer();
    const { errors, backAfterMs } = await through(seconds, 'started', { apiToken: server.issueApiToken() }, server);
    for (const error of errors) expect(error).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', retryable: true });
    expect(backAfterMs).toBeLessThanOrEqual(5_000);
    expect(server.requests.count({ status: 401 })).toBeLessThanOrEqual(Math.max(seconds, 6));
  });

  it('F24 one started meanwhile with a password: that has never worked, and waits its cool-down', async () => {
    const { server, account } = await startServer();
    const { errors, backAfterMs } = await through(10, 'started', account, server);
    for (const error of errors) expect(error).toMatchObject({ code: 'ERR_AUTH_REFUSED', retryable: false });
    expect(backAfterMs).toBeGreaterThanOrEqual(19_000);
    expect(backAfterMs).toBeLessThanOrEqual(20_100);
    expect(server.requests.count({ path: SIGN_IN })).toBe(2);
  });
});

describe.each(ways)('W07 calls that begin while a refused credential is renewed, through $name', ({ open, send }) => {
  /** A renewal that was caused by a refusal, and waits until it is let go on. */
  const renewing = async () => {
    const api = await startBackend();
    const auth = open({ config: { url: api.url, username: api.username, password: api.password } });
    await auth.signIn();
    api.expire();
    let letGo = () => {};
    const arrived = new Promise<void>((resolve) => {
      api.on(REFRESH, (request, response, incoming) => {
        letGo = () => {
          api.on(REFRESH, () => false);
          api.replay(request, response, incoming);
        };
        resolve();
      });
    });
    const refused = send(auth, { path: '/refused' });
    await arrived;
    return { api, auth, refused, letGo: () => letGo() };
  };

  it('wait for it, and each is sent once', async () => {
    const { api, auth, refused, letGo } = await renewing();
    const calls = Array.from({ length: 20 }, () => send(auth, { path: '/later' }));
    await new Promise(setImmediate);
    expect(api.to('/later')).toHaveLength(0);
    letGo();
    expect(await Promise.all([refused, ...calls].map(statusOf))).toEqual(Array.from({ length: 21 }, () => 200));
    expect(api.to('/later').map(({ authorized }) => authorized)).toEqual(Array.from({ length: 20 }, () => true));
    expect(api.to('/refused')).toHaveLength(2);
    expect(api.to(REFRESH)).toHaveLength(1);
  });

  it('streams too, which could not be sent again', async () => {
    const { api, auth, refused, letGo } = await renewing();
    const chunks = ['one ', 'two ', 'three'];
    const uploads = [
      auth.http.post('/upload', Readable.from(chunks)),
      auth.fetch('/upload', { method: 'POST', body: ReadableStream.from(chunks), duplex: 'half' } as RequestInit),
    ];
    await new Promise(setImmediate);
    expect(api.to('/upload')).toHaveLength(0);
    letGo();
    expect(await Promise.all([refused, ...uploads].map(statusOf))).toEqual([200, 200, 200]);
    expect(api.to('/upload').map(({ body }) => body.toString())).toEqual(['one two three', 'one two three']);
  });
});

describe.each(ways)('W08 a process that was suspended for an hour, through $name', ({ open, send }) => {
  it('renews before its next call, which may be an upload', async () => {
    const { server, account } = await startServer();
    const auth = open({ config: account });
    await send(auth, { path: ME });
    server.requests.reset();
    server.expireAccessTokens(); // by the server's clock, which has not stood still
    const now = Date.now;
    jest.spyOn(Date, 'now').mockImplementation(() => now() + LIFE_MS);
    server.route('POST', '/api/upload', () => ({ body: {} }));
    expect((await auth.http.post('/api/upload', Readable.from(['a body']))).status).toBe(200);
    expect((await send(auth, { path: ME })).status).toBe(200);
    expect(server.requests.count({ path: REFRESH })).toBe(1);
    expect(server.requests.count({ status: 401 })).toBe(0);
    expect(server.requests.count()).toBe(3);
  });
});

describe('W09 many sessions of one user that start at once on a slow database', () => {
  /** So much faster than on a clock: 300 ms an operation, a minute for all, and the pauses between. */
  const TIMES = 10;

  const start = async (count: number, timeoutMs: number) => {
    const { server, account } = await startServer({ latencyMs: 300 / TIMES });
    // More than ten sessions: from then on each sign-in writes the whole list back.
    for (let i = 0; i < 11; i++) await openAuth({ config: account }).signIn();
    speedUp(TIMES);
    server.requests.reset();
    const config = { ...account, timeoutMs };
    const sessions = Array.from({ length: count }, () => openAuth({ config }));
    return { server, starts: await Promise.allSettled(sessions.map((auth) => auth.signIn())) };
  };
  const reasons = (starts: PromiseSettledResult<unknown>[]) =>
    starts.flatMap((start) => (start.status === 'rejected' ? [start.reason] : []));

  it('twenty with 60 s: all of them start', async () => {
    const { starts } = await start(20, 60_000);
    expect(reasons(starts)).toEqual([]);
  }, 60_000);

  it('thirty with the default of 20 s: whoever does not start says that others were signing in', async () => {
    const { server, starts } = await start(30, 20_000);
    expect(server.requests.count({ path: SIGN_IN, status: 200 })).toBeGreaterThan(5);
    expect(reasons(starts).length).toBeGreaterThan(0); // one takes the database 0.9 s at least
    for (const reason of reasons(starts)) {
      expect(reason).toMatchObject({
        code: 'ERR_AUTH_UNAVAILABLE',
        retryable: true,
        hint: expect.stringContaining('Other processes were signing in as the same user'),
      });
    }
  }, 60_000);
});
