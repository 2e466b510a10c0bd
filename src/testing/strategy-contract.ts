import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { Credential, isSameCredential } from '../credentials/credential';
import { toAuthError } from '../credentials/obtain-errors';
import { type AuthError, type AuthErrorCode, isAuthError, kindOf } from '../errors';
import type { AuthStrategy } from '../strategies/auth-strategy';
import type { StrategyCall } from './observed-strategy';
import { sinksOf } from './sinks';
import type { StrategyObstacle } from './strategy-under-test.types';
import { inWords, isGood, type Outcome, request, storm, type World } from './strategy-world';

/** Makes a fresh world, and ends it when the body is done. */
type Within = <T>(body: (world: World) => Promise<T>) => Promise<T>;

/** One thing that every strategy must do. */
interface Case {
  readonly title: string;
  /** Cases without which this one says nothing new. */
  readonly after?: readonly string[];
  /** What somebody has to be able to do to the strategy. */
  readonly needs?: readonly StrategyObstacle[];
  judge(within: Within): Promise<unknown>;
}

const MISSING = 'missing() names the settings it lacks, at once, and does nothing else';
const SIGN_IN = 'signIn() gives a fresh Credential that the server accepts';
const STORM = 'fifty calls at once cost one sign-in, and none fails';
const REFUSAL = 'a refusal is one attempt and one AuthError that says what to do, for fifty calls';
const NO_CACHE = 'signIn() asks anew each time, and keeps nothing';
const SIGN_IN_SIGNAL = 'signIn() ends with context.signal';
const REFRESH = 'refresh(), if there is one, gives the successor of the credential it is given, each time';
const EXPIRY = 'when the credential ends, fifty calls at once cost one renewal, and none fails';
const REFRESH_REFUSAL = 'refresh(), if there is one, lets a refusal through';
const REFRESH_SIGNAL = 'refresh(), if there is one, ends with context.signal';
const REJECTED = 'isRejected(), if there is one, is only about the credential';
const AUTHORIZE = 'authorize(), if there is one, adds headers and does nothing else';
const SECRETS = 'no secret shows: not in errors, not in events, not in the strategy itself';

/** So short that the cases about silence are quick: nobody will answer anyway. */
const SHORT_MS = 50;

/** Shorter ones are found by chance. */
const SHORTEST_SECRET = 8;

export const CONTRACT: readonly Case[] = [
  { title: MISSING, judge: (within) => within(judgeMissing) },
  { title: SIGN_IN, after: [MISSING], judge: (within) => within(judgeSignIn) },
  { title: STORM, after: [SIGN_IN], judge: (within) => within(judgeStorm) },
  { title: REFUSAL, after: [SIGN_IN], needs: ['refuse'], judge: judgeRefusal },
  { title: NO_CACHE, after: [SIGN_IN, REFUSAL], judge: (within) => within(judgeNoCache) },
  { title: SIGN_IN_SIGNAL, after: [SIGN_IN], needs: ['hang'], judge: (within) => within(judgeSignInSignal) },
  { title: REFRESH, after: [SIGN_IN], judge: (within) => within(judgeRefresh) },
  { title: EXPIRY, after: [STORM, REFRESH], judge: (within) => within(judgeExpiry) },
  {
    title: REFRESH_REFUSAL,
    after: [REFRESH, REFUSAL],
    needs: ['refuse'],
    judge: (within) => within(judgeRefreshRefusal),
  },
  { title: REFRESH_SIGNAL, after: [REFRESH], needs: ['hang'], judge: (within) => within(judgeRefreshSignal) },
  { title: REJECTED, after: [MISSING], judge: (within) => within(judgeRejected) },
  { title: AUTHORIZE, after: [SIGN_IN], judge: (within) => within(judgeAuthorize) },
  { title: SECRETS, after: [SIGN_IN], judge: (within) => within(judgeSecrets) },
];

async function judgeMissing(world: World): Promise<void> {
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
  throw world.fault(`Without its settings, the strategy was not simply left out: ${inWords({ error: refusal })}`);
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
      );
    }
  });
  const [first, second] = results;
  if (first instanceof Promise)
    throw world.fault('missing() returned a Promise: make it synchronous, and leave what takes time to signIn().');
  if (!isListOfNames(first))
    throw world.fault('missing() must return an array of setting names, such as ["VAULT_KEY"]; [] if none is missing.');
  if (sent.length > 0) throw world.fault(`missing() sent ${sent[0]}: leave what takes time to signIn().`);
  if (JSON.stringify(first) !== JSON.stringify(second))
    throw world.fault(
      'missing() answered differently when called twice: let it look at the settings and change nothing.',
    );
  return first;
}

function isListOfNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string' && name !== '');
}

async function judgeSignIn(world: World): Promise<void> {
  const outcome = await signedIn(world);
  const credential = freshCredential(world, last(world, 'signIn'));
  if (isGood(outcome)) return;
  const names = credential.headerNames.join(', ');
  throw world.fault(
    `GET /api/me with the credential of signIn() came to ${inWords(outcome)}: look at what it is made from (it sets ${names}). If its API is not Qelos, give the suite a server of your own.`,
  );
}

/** A call of the API that has to sign in for it. */
async function signedIn(world: World): Promise<Outcome> {
  let auth: ReturnType<World['open']>;
  try {
    auth = world.open();
  } catch (error) {
    throw world.fault(`The library does not take the strategy: ${inWords({ error })}`);
  }
  return request(auth);
}

/** The last call of an operation that the library has made for certain: without one, no request is sent. */
function last(world: World, operation: StrategyCall['operation']): StrategyCall {
  return world.last(operation) as StrategyCall;
}

/** The credential that a strategy's call has come to, if there is nothing wrong with it. */
function freshCredential(world: World, { operation, outcome: result }: StrategyCall): Credential {
  if (result === undefined)
    throw world.fault(
      `${operation}() never settled although everybody answers: let it resolve with a Credential, or reject.`,
    );
  if ('error' in result)
    throw world.fault(`${operation}() failed although nothing stands in its way: ${inWords(result)}`);
  if (!(result.value instanceof Credential))
    throw world.fault(
      `${operation}() returned ${inWords(result)}: return Credential.apiKey(…), Credential.bearer(…) or Credential.headers(…).`,
    );
  const { expiresAt } = result.value;
  if (expiresAt && expiresAt.getTime() <= Date.now())
    throw world.fault(
      `${operation}() returned a Credential that ended at ${expiresAt.toISOString()}: obtain a new one, and check where its expiresAt comes from (milliseconds, not seconds).`,
    );
  return result.value;
}

async function judgeStorm(world: World): Promise<void> {
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

/** What a refusal may be called. Anything else is taken for an outage, or for a fault of the strategy. */
const REFUSALS: readonly AuthErrorCode[] = [
  'ERR_AUTH_REFUSED',
  'ERR_AUTH_TOKEN_REFUSED',
  'ERR_AUTH_CONFIG',
  'ERR_AUTH_WORKSPACE',
];

async function judgeRefusal(within: Within): Promise<void> {
  const usual = await within(async (world) => {
    await signedIn(world);
    return last(world, 'signIn').sent;
  });
  await within(async (world) => {
    await world.subject.refuse();
    await storm(world.open());
    const [first, ...others] = world.observer.of('signIn') as [StrategyCall, ...StrategyCall[]];
    const error = refusalOf(world, first);
    if (!REFUSALS.includes(error.code))
      throw world.fault(
        `signIn() said ${error.code} when it was refused: say ERR_AUTH_REFUSED or ERR_AUTH_TOKEN_REFUSED, as anything else is tried again and again.`,
      );
    if (error.message.trim() === '' || error.hint.trim() === '')
      throw world.fault(
        'signIn() threw an AuthError with an empty message or hint: name the setting, and say what to do next.',
      );
    if (others.length > 0)
      throw world.fault(
        `One refusal was tried ${others.length + 1} times: leave out retryable: true with status: 401, which says that the server contradicts itself.`,
      );
    const again = repeated(first.sent, usual);
    if (again)
      throw world.fault(
        `signIn() sent ${again.name} ${again.times} times for one refusal: send it once and throw, as the library decides when to try again.`,
      );
  });
}

/** What a call of a strategy that was refused has thrown, as the library sees it. */
function refusalOf(world: World, { operation, outcome }: StrategyCall): AuthError {
  if (outcome === undefined)
    throw world.fault(`${operation}() never settled when it was refused: let it reject, with an AuthError.`);
  if ('value' in outcome)
    throw world.fault(
      `${operation}() swallowed a refusal and returned ${inWords(outcome)}: let it reject, with an AuthError. (Or refuse() of this suite does not make anybody refuse.)`,
    );
  const error = toAuthError(outcome.error, 'sign-in', world.subject.strategy.name);
  // Of an error without a status that it did not make itself, the library knows nothing.
  const isForeign = !isAuthError(outcome.error) && error.code === 'ERR_AUTH_BAD_RESPONSE' && error.status === undefined;
  if (isForeign)
    throw world.fault(
      `${operation}() threw ${inWords(outcome)} when it was refused: throw an AuthError that names the setting and says what to do, or let the error of axios through.`,
    );
  return error;
}

/** A request that was sent more often than it usually is. */
function repeated(sent: readonly string[], usual: readonly string[]): { name: string; times: number } | undefined {
  const times = (list: readonly string[], name: string) => list.filter((other) => other === name).length;
  const paths = usual.map(pathOf);
  for (const name of sent) {
    // The two worlds have ports of their own.
    const most = Math.max(1, times(paths, pathOf(name)));
    if (times(sent, name) > most) return { name, times: times(sent, name) };
  }
  return undefined;
}

const pathOf = (name: string) => name.replace(/:\d+(?=\/|$)/, '');

async function judgeNoCache(world: World): Promise<void> {
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

async function judgeSignInSignal(world: World): Promise<void> {
  await world.subject.hang();
  await request(world.open({ timeoutMs: SHORT_MS }));
  const call = last(world, 'signIn');
  await assertEnded(world, call);
  if (call.outcome && 'value' in call.outcome)
    throw world.fault(
      `signIn() returned ${inWords(call.outcome)} although nobody answers: let it fail, with an AuthError or the error of axios. (Or hang() of this suite does not make anybody silent.)`,
    );
}

async function assertEnded(world: World, call: StrategyCall): Promise<void> {
  if (await world.hasEnded(call)) return;
  throw world.fault(
    `${call.operation}() ignored context.signal: pass it to whatever it waits for. It was still waiting a second after the signal had aborted.`,
  );
}

async function judgeRefresh(world: World): Promise<void> {
  if (!world.subject.strategy.refresh) return;
  const auth = world.open();
  await request(auth);
  for (const round of ['first', 'second']) {
    const before = world.observer.of('refresh').length;
    await world.expire();
    await request(auth);
    const call = world.last('refresh');
    // Nothing to refresh with, or nothing that ended: then it is no business of refresh().
    if (call === undefined || world.observer.of('refresh').length === before) return;
    if (call.outcome && 'error' in call.outcome)
      throw world.fault(
        `refresh() failed the ${round} time with ${inWords(call.outcome)}. Refresh what you are given (current.refreshToken), nothing that was kept, and put the new refresh token into the Credential. (Or expire() of this suite ends more than the credential.)`,
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

async function judgeExpiry(world: World): Promise<void> {
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
}

async function judgeRefreshRefusal(world: World): Promise<void> {
  if (!world.subject.strategy.refresh) return;
  const auth = world.open();
  await request(auth);
  await world.subject.refuse();
  await world.expire();
  const outcome = await request(auth);
  const call = world.last('refresh');
  // Who hands out the first credential may refuse while who refreshes does not.
  if (call === undefined || (isGood(outcome) && call.outcome && 'value' in call.outcome)) return;
  refusalOf(world, call);
}

async function judgeRefreshSignal(world: World): Promise<void> {
  if (!world.subject.strategy.refresh) return;
  const auth = world.open();
  await request(auth);
  await world.subject.hang();
  await world.expire();
  const began = new Promise<StrategyCall>((resolve) => {
    world.observer.onCall = (call) => call.operation === 'refresh' && resolve(call);
  });
  const call = await Promise.race([began, request(auth)]);
  if (!('operation' in call)) return;
  await setImmediate();
  await auth.close();
  await assertEnded(world, call);
}

/** Answers that are not about the credential, whatever the API. */
const OTHER_ANSWERS = [
  ...[400, 404, 409, 422, 429, 500, 503].map((status) => ({ status, data: { message: 'no' } })),
  { status: 401, data: { message: 'you are not privileged.' } },
];

async function judgeRejected(world: World): Promise<void> {
  const { strategy } = world.subject;
  if (!strategy.isRejected) return;
  for (const { status, data } of OTHER_ANSWERS) {
    const said = `to HTTP status ${status} with ${JSON.stringify(data)}`;
    let result: unknown;
    try {
      result = strategy.isRejected({ status, data, headers: {} });
    } catch (error) {
      throw world.fault(`isRejected() threw ${inWords({ error })} ${said}: return false.`);
    }
    if (result !== false)
      throw world.fault(
        `isRejected() returned ${inWords({ value: result })} ${said}: return false, at once, for whatever is not about the credential. What returns true costs a renewal.`,
      );
  }
}

async function judgeAuthorize(world: World): Promise<void> {
  if (!world.subject.strategy.authorize) return;
  const auth = world.open();
  const own = { 'x-of-the-caller': 'kept', accept: 'text/plain' };
  const bytes = Buffer.from('bytes of the caller');
  const stream = Readable.from([bytes]);
  for (const data of ['text of the caller', bytes, stream]) {
    let after: Record<string, unknown> = {};
    const adapter = async (config: { headers: { get(name: string): unknown } }) => {
      after = Object.fromEntries(Object.keys(own).map((name) => [name, config.headers.get(name)]));
      return { status: 200, statusText: 'OK', headers: {}, data: '', config: config as never };
    };
    const sent = attempt(() => auth.http.post('/api/me', data, { headers: own, adapter }));
    const result = await sent;
    const call = last(world, 'authorize');
    if (call.outcome === undefined)
      throw world.fault('authorize() never settled: sign with what the credential holds, and wait for nobody.');
    if ('error' in call.outcome && data !== stream)
      throw world.fault(`authorize() failed with ${inWords(call.outcome)} on a body that is ${kindOf(data)}.`);
    if (call.sent[0])
      throw world.fault(
        `authorize() sent ${call.sent[0]}: it runs for every request, so obtain what it needs in signIn() and put it into the Credential.`,
      );
    if (call.changed[0])
      throw world.fault(
        `authorize() tried to change ${call.changed[0]}: it may only set headers, with request.headers.`,
      );
    if (result instanceof Error) continue;
    for (const [name, value] of Object.entries(own)) {
      if (after[name] !== value)
        throw world.fault(`authorize() changed ${name}, a header of the caller: set those of the credential only.`);
    }
  }
  if (String(bytes) !== 'bytes of the caller')
    throw world.fault('authorize() changed the bytes of the body: copy what you work on.');
  if (stream.readableDidRead)
    throw world.fault(
      'authorize() read a body that is a stream: nothing is left of it to send. Sign strings and bytes only.',
    );
}

async function judgeSecrets(world: World): Promise<void> {
  const { subject } = world;
  const short = subject.secrets.find((secret) => secret.length < SHORTEST_SECRET);
  if (short !== undefined)
    throw new Error(
      `One of the secrets of this suite has ${short.length} characters: make each at least ${SHORTEST_SECRET} long, as shorter ones are found by chance.`,
    );
  const seen: [what: string, value: unknown, advice: string][] = [];
  const onEvent = (event: unknown) =>
    void seen.push([`the event ${(event as { event: string }).event}`, event, 'name settings, never their values']);
  subscribe('qelos-auth', onEvent);
  try {
    const auth = world.open();
    await request(auth);
    if (world.can('refuse')) {
      await subject.refuse();
      await world.expire();
      await request(auth);
      await request(world.open());
    }
    if (world.can('hang')) {
      await subject.hang();
      await request(world.open({ timeoutMs: SHORT_MS }));
    }
  } finally {
    unsubscribe('qelos-auth', onEvent);
  }
  for (const { operation, outcome } of world.observer.calls) {
    // Of other errors the library shows no text.
    if (outcome && 'error' in outcome && isAuthError(outcome.error))
      seen.push([
        `the AuthError of ${operation}()`,
        outcome.error,
        'name the setting, never its value, and give no cause that holds it',
      ]);
  }
  const field = 'keep it in a #private field, as TypeScript’s `private` hides nothing at run time';
  seen.push(['the strategy, when printed,', subject.strategy, field]);
  seen.push(['what missing() returns', subject.strategy.missing(), 'name settings, never their values']);
  if (subject.unconfigured) seen.push(['the strategy without settings, when printed,', subject.unconfigured, field]);
  for (const [what, value, advice] of seen) {
    for (const [sink, text] of Object.entries(sinksOf(value))) {
      if (world.secrets.some((secret) => formsOf(secret).some((form) => text.includes(form))))
        throw world.fault(`${what} shows a secret (in ${sink}): ${advice}.`.replace(/^t/, 'T'));
    }
  }
}

/** A secret as it is, and as it looks in a URL, in JSON and in Basic authentication. */
function formsOf(secret: string): string[] {
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  ];
}

/** What it returns, or the error that it throws. */
async function attempt(body: () => unknown): Promise<unknown> {
  try {
    return await body();
  } catch (error) {
    return error;
  }
}
