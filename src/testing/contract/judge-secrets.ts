import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { isAuthError } from '../../contract/auth-error';
import { Credential } from '../../contract/credential';
import { SHORT_MS } from './judging';
import { shows, sinksOf } from './sinks';
import { request, SHORTEST_SECRET, type World } from './world';

/** Has the strategy do whatever a case can have it do. */
async function exercise(world: World): Promise<void> {
  const { subject } = world;
  const auth = world.open();
  await request(auth);
  await world.expire();
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
}

export async function judgeSecrets(world: World): Promise<void> {
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
    await exercise(world);
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
      if (shows(text, world.secrets))
        throw world.fault(`${what} shows a secret (in ${sink}): ${advice}.`.replace(/^t/, 'T'));
    }
  }
}

export async function judgePrints(world: World): Promise<void> {
  await exercise(world);
  world.subject.strategy.missing();
  const print = world.prints.seen.find(({ text }) => shows(text, world.knownSecrets));
  if (print)
    throw world.fault(
      `A secret was printed to ${print.where}: take it out of what the strategy prints, or print nothing, as the library tells what happens (auth.on, NODE_DEBUG=qelos-auth). (Or what create() starts printed it.)`,
    );
}

/** Headers that servers and proxies write to their logs as a matter of course. */
const LOGGED =
  /^(user-agent|referer|referrer|origin|from|via|forwarded|x-forwarded-\w+|x-real-ip|host|traceparent|tracestate|baggage|(x-)?(request|correlation|trace|session)-id|x-b3-\w+)$/;

export async function judgeSent(world: World): Promise<void> {
  await exercise(world);
  const secrets = world.knownSecrets;
  for (const { operation, sent, set, current, outcome } of world.observer.calls) {
    for (const { name, path, headers } of sent) {
      if (shows(path, secrets))
        throw world.fault(
          `${operation}() sent a secret in the URL (${name}): send it in a header or the body, as every proxy logs URLs.`,
        );
      const logged = headers.find(([header, value]) => LOGGED.test(header) && shows(value, secrets));
      if (logged)
        throw world.fault(
          `${operation}() sent a secret in ${logged[0]} (${name}): send it in Authorization, or a header made for it, as servers log this one.`,
        );
    }
    const foreign = set.find(
      ([header, value]) =>
        shows(value, secrets) &&
        (LOGGED.test(header) || !current?.headerNames.some((own) => own.toLowerCase() === header)),
    );
    if (foreign)
      throw world.fault(
        `authorize() put a secret into ${foreign[0]}, which is no header of the credential: put it into the Credential (Credential.headers), so that the library knows it for a secret, or sign with it.`,
      );
    const credential = outcome && 'value' in outcome ? outcome.value : undefined;
    const named =
      credential instanceof Credential && credential.headerNames.find((own) => LOGGED.test(own.toLowerCase()));
    if (named)
      throw world.fault(
        `${operation}() put the credential into ${named}: use a header made for it, as servers log this one.`,
      );
  }
}
