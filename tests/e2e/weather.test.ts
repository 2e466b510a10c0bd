import { describe, expect, it } from '@jest/globals';
import { isAxiosError } from 'axios';
import { isAuthError } from '../../src';
import { type QelosServerFault, type QelosServerOptions, startQelosServer } from '../../src/testing';
import { type Ended, setTime, Traffic } from '../support/set-time';
import { unsteady } from '../support/unsteady';
import { ways } from '../support/ways';
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
