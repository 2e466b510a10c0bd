import { isAuthError } from '../../contract/auth-error';
import type { AuthStrategy } from '../../contract/auth-strategy';
import {
  assertEnded,
  attempt,
  freshCredential,
  last,
  REFUSALS,
  refusalOf,
  repeated,
  SHORT_MS,
  signedIn,
} from './judging';
import type { StrategyCall } from './observed-strategy';
import { inWords, isGood, request, storm, type Within, type World } from './world';

export async function judgeMissing(world: World): Promise<void> {
  const { strategy, unconfigured } = world.subject;
  const lacks = missingOf(world, strategy);
  if (lacks.length > 0)
    throw world.fault(
      `missing() names ${lacks.join(', ')} although create() has set all it needs: return [] when nothing is missing.`,
    );
  if (!unconfigured) return;
  const named = missingOf(world, unconfigured);
  if (named.length === 0)
    throw world.fault(
      'missing() is empty although nothing is set: return the name of each setting that is not there, so that the strategy is not chosen without it.',
    );
  const refusal = await attempt(() => world.open({ strategy: unconfigured }));
  if (isAuthError(refusal) && refusal.code === 'ERR_AUTH_NO_STRATEGY') return;
  throw world.fault(
    `Without its settings, the strategy was not simply left out: ${inWords({ error: refusal })}`,
    refusal,
  );
}

/** What `missing()` returns, if it keeps to its part of the contract. */
function missingOf(world: World, strategy: AuthStrategy): readonly string[] {
  const results: unknown[] = [];
  const sent = world.observer.sentDuring(() => {
    try {
      results.push(strategy.missing(), strategy.missing());
    } catch (error) {
      throw world.fault(
        `missing() threw ${inWords({ error })}. It must not throw: return the name of each setting that is not there, or is wrong.`,
        error,
      );
    }
  });
  const [first, second] = results;
  if (first instanceof Promise)
    throw world.fault('missing() returned a Promise: make it synchronous, and leave what takes time to signIn().');
  if (!isListOfNames(first))
    throw world.fault('missing() must return an array of setting names, such as ["VAULT_KEY"]; [] if none is missing.');
  if (sent[0]) throw world.fault(`missing() sent ${sent[0].name}: leave what takes time to signIn().`);
  if (JSON.stringify(first) !== JSON.stringify(second))
    throw world.fault(
      'missing() answered differently when called twice: let it look at the settings and change nothing.',
    );
  return first;
}

function isListOfNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string' && name !== '');
}

export async function judgeSignIn(world: World): Promise<void> {
  const outcome = await signedIn(world);
  const credential = freshCredential(world, last(world, 'signIn'));
  if (isGood(outcome)) return;
  const names = credential.headerNames.join(', ');
  throw world.fault(
    `GET /api/me with the credential of signIn() came to ${inWords(outcome)}: look at what it is made from (it sets ${names}). If its API is not Qelos, give the suite a server of your own.`,
  );
}

export async function judgeStorm(world: World): Promise<void> {
  const outcomes = await storm(world.open());
  const bad = outcomes.filter((outcome) => !isGood(outcome));
  if (bad[0])
    throw world.fault(
      `${bad.length} of 50 calls at once failed, the first with ${inWords(bad[0])}. One alone does not: keep nothing of one request in a field that the next one uses.`,
    );
  const obtained = world.observer.of('signIn').length + world.observer.of('refresh').length;
  if (obtained > 1)
    throw world.fault(
      `50 calls at once cost ${obtained} credentials instead of 1: the server refuses one while it is in use. Look at what authorize() puts on a request, and at what isRejected() takes for a refusal.`,
    );
}

export async function judgeRefusal(within: Within): Promise<void> {
  const usual = await within(async (world) => {
    await signedIn(world);
    return last(world, 'signIn').sent;
  });
  await within(async (world) => {
    await world.subject.refuse();
    await storm(world.open());
    const [first] = world.observer.of('signIn') as [StrategyCall];
    const error = refusalOf(world, first);
    if (!REFUSALS.includes(error.code))
      throw world.fault(
        `signIn() said ${error.code} when it was refused: say ERR_AUTH_REFUSED or ERR_AUTH_TOKEN_REFUSED, as anything else is tried again and again.`,
      );
    if (error.message.trim() === '' || error.hint.trim() === '')
      throw world.fault(
        'signIn() threw an AuthError with an empty message or hint: name the setting, and say what to do next.',
      );
    if (error.retryable && error.code !== 'ERR_AUTH_CONFIG')
      throw world.fault(
        `signIn() called a refusal (${error.code}) retryable: leave out retryable: true, as only somebody who changes a setting can help.`,
      );
    const again = repeated(first.sent, usual);
    if (again)
      throw world.fault(
        `signIn() sent ${again.name} ${again.times} times for one refusal: send it once and throw, as the library decides when to try again.`,
      );
  });
}

export async function judgeNoCache(world: World): Promise<void> {
  await signedIn(world);
  const first = freshCredential(world, last(world, 'signIn'));
  await signedIn(world);
  const second = last(world, 'signIn');
  const advice =
    'Obtain a new one at each call and keep none, as the library does that: what is kept is there when it is no longer good.';
  if (second.outcome && 'value' in second.outcome && second.outcome.value === first)
    throw world.fault(`signIn() returned the same Credential twice. ${advice}`);
  if (!world.can('refuse')) return;
  await world.subject.refuse();
  await signedIn(world);
  const third = last(world, 'signIn');
  if (third.outcome && 'value' in third.outcome)
    throw world.fault(`signIn() gave a credential from before, although it would be refused one by now. ${advice}`);
}

export async function judgeSignInSignal(world: World): Promise<void> {
  await world.subject.hang();
  await request(world.open({ timeoutMs: SHORT_MS }));
  const call = last(world, 'signIn');
  await assertEnded(world, call);
  if (call.outcome && 'value' in call.outcome)
    throw world.fault(
      `signIn() returned ${inWords(call.outcome)} although nobody answers: let it fail, with an AuthError or the error of axios. (Or hang() of this suite does not make anybody silent.)`,
    );
}
