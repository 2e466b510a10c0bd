import { setImmediate } from 'node:timers/promises';
import { type Credential, isSameCredential } from '../../contract/credential';
import { assertEnded, freshCredential, refusalOf } from './judging';
import { NotRun } from './not-run';
import type { StrategyCall } from './observed-strategy';
import { inWords, isGood, request, storm, type World } from './world';

/** Why nothing can be said of refresh(). */
const NO_REFRESH = 'There is no refresh().';
const NOT_CALLED = 'refresh() was not called: nothing ends the credential, or there is nothing to refresh it with.';

export async function judgeRefresh(world: World): Promise<void> {
  if (!world.subject.strategy.refresh) throw new NotRun(NO_REFRESH);
  const auth = world.open();
  await request(auth);
  for (const round of ['first', 'second']) {
    const before = world.observer.of('refresh').length;
    await world.expire();
    await request(auth);
    const call = world.last('refresh');
    if (call === undefined || world.observer.of('refresh').length === before) throw new NotRun(NOT_CALLED);
    if (call.outcome && 'error' in call.outcome)
      throw world.fault(
        `refresh() failed the ${round} time with ${inWords(call.outcome)}. Refresh what you are given (current.refreshToken), nothing that was kept, and put the new refresh token into the Credential. (Or expire() of this suite ends more than the credential.)`,
        call.outcome.error,
      );
    const successor = freshCredential(world, call);
    if (call.current && isSame(successor, call.current))
      throw world.fault('refresh() returned the credential that it was given: return its successor.');
  }
}

function isSame(a: Credential, b: Credential): boolean {
  if (a === b) return true;
  const ends = a.expiresAt?.getTime() === b.expiresAt?.getTime();
  return isSameCredential(a, b) && a.refreshToken === b.refreshToken && ends;
}

export async function judgeExpiry(world: World): Promise<void> {
  const auth = world.open();
  await request(auth);
  let renewals = 0;
  auth.on('signedIn', () => renewals++);
  auth.on('refreshed', () => renewals++);
  await world.expire();
  const outcomes = await storm(auth);
  const bad = outcomes.filter((outcome) => !isGood(outcome));
  if (bad[0])
    throw world.fault(
      `${bad.length} of 50 calls failed when the credential ended, the first with ${inWords(bad[0])}, after ${renewals} renewals. ${
        renewals === 0
          ? 'Without a renewal, it is isRejected() that does not know this answer as a refused credential.'
          : 'Look at what the new credential is made from.'
      }`,
    );
  if (renewals > 1) throw world.fault(`50 calls at once cost ${renewals} renewals instead of 1.`);
  if (renewals === 0 && world.subject.expire)
    throw world.fault('expire() of this suite does not end the credential: the server still accepts it.');
  if (renewals === 0) throw new NotRun('Nothing ends the credential: create() gives no expire().');
}

export async function judgeRefreshRefusal(world: World): Promise<void> {
  if (!world.subject.strategy.refresh) throw new NotRun(NO_REFRESH);
  const auth = world.open();
  await request(auth);
  await world.subject.refuse();
  await world.expire();
  const outcome = await request(auth);
  const call = world.last('refresh');
  if (call === undefined) throw new NotRun(NOT_CALLED);
  if (isGood(outcome) && call.outcome && 'value' in call.outcome)
    throw new NotRun('Whoever hands out the first credential refuses; whoever refreshes it does not.');
  refusalOf(world, call);
}

export async function judgeRefreshSignal(world: World): Promise<void> {
  if (!world.subject.strategy.refresh) throw new NotRun(NO_REFRESH);
  const auth = world.open();
  await request(auth);
  await world.subject.hang();
  await world.expire();
  const began = new Promise<StrategyCall>((resolve) => {
    world.observer.onCall = (call) => call.operation === 'refresh' && resolve(call);
  });
  const call = await Promise.race([began, request(auth)]);
  if (!('operation' in call)) throw new NotRun(NOT_CALLED);
  await setImmediate();
  await auth.close();
  await assertEnded(world, call);
}
