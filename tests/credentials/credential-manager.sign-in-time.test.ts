import { expect, it } from '@jest/globals';
import { Managed } from './managed';
import { conflict, fails, never, refused, session } from './scripted';

const withLimit = (signInTimeoutMs: number, options: { timeoutMs?: number } = {}) => {
  const managed = new Managed(options);
  Object.assign(managed.strategy, { signInTimeoutMs });
  return managed;
};

it.each([
  ['more than timeoutMs', 600_000],
  ['less than timeoutMs', 5_000],
])('a sign-in ends after signInTimeoutMs: %s', async (_name, ms) => {
  const { manager, strategy, clock, failureOf } = withLimit(ms);
  strategy.signInSteps.push(never);
  const failure = failureOf(manager.get());
  await clock.advance(ms - 1);
  expect(strategy.contexts[0]?.signal.aborted).toBe(false);
  await clock.advance(1);
  expect(await failure).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', message: expect.stringContaining(`${ms} ms`) });
  expect(strategy.contexts[0]?.signal.aborted).toBe(true);
});

it('a sign-in that a person has to act in never ends by itself, but with close(), and keeps no timer', async () => {
  const { manager, strategy, clock, failureOf } = withLimit(Infinity, { timeoutMs: 60_000 });
  strategy.signInSteps.push(never);
  const failure = failureOf(manager.get());
  await clock.advance(30 * 24 * 3_600_000);
  expect([strategy.count('sign-in'), clock.waiting]).toEqual([1, 0]);
  manager.close();
  expect(await failure).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
});

it('however long a person may take, a server that contradicts itself is not asked for longer than timeoutMs', async () => {
  const { manager, strategy, clock, failureOf } = withLimit(Infinity);
  strategy.signInSteps.push(...Array.from({ length: 1_000 }, () => fails(conflict())));
  const failure = failureOf(manager.get());
  await clock.advance(25_000);
  expect(await failure).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', httpStatus: 401 });
  expect(clock.waiting).toBe(0);
});

it('a refresh keeps to timeoutMs, and the sign-in after a refused one has its own time', async () => {
  const managed = withLimit(600_000);
  const { manager, strategy, clock } = managed;
  const first = await managed.signIn();
  strategy.refreshSteps.push(never);
  const slow = managed.failureOf(manager.get(first));
  await clock.advance(20_000);
  expect(await slow).toMatchObject({ message: expect.stringContaining('20000 ms') });
  await clock.advance(60_000);
  strategy.refreshSteps.push(fails(refused()));
  const second = session();
  strategy.signInSteps.push(() => new Promise((resolve) => clock.schedule(599_999, () => resolve(second))));
  const waiting = manager.get(first);
  await clock.advance(599_999);
  expect(await waiting).toBe(second);
});

it.each([0, -1, Number.NaN, '60000'])('a limit that is none counts as not given: %p', async (ms) => {
  const { manager, strategy, clock, failureOf } = withLimit(ms as number);
  strategy.signInSteps.push(never);
  const failure = failureOf(manager.get());
  await clock.advance(20_000);
  expect(await failure).toMatchObject({ message: expect.stringContaining('20000 ms') });
});
