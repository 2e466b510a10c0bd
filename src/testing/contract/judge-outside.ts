import { toAuthError } from '../../credentials/obtain-errors';
import { ENDLESS_BYTES, type Impostor, type Imposture, type Received } from './impostor';
import { last, REFUSALS, repeated } from './judging';
import { NotRun } from './not-run';
import type { StrategyCall } from './observed-strategy';
import { shows } from './sinks';
import { inWords, request, type Within, type World } from './world';

const MIB = 1024 * 1024;

/** Judges what a call comes to while an impostor answers it. */
type Judge = (world: World, call: StrategyCall, impostor: Impostor) => void;

/** Has an impostor answer a sign-in; and a refresh, where there is one. */
async function judgeUnder(imposture: Imposture, within: Within, judge: Judge): Promise<void> {
  let judged = 0;
  for (const operation of ['signIn', 'refresh'] as const) {
    await within(async (world) => {
      const auth = world.open({ timeoutMs: world.halfTimeMs });
      if (operation === 'refresh') {
        if (!world.subject.strategy.refresh) return;
        await request(auth);
        await world.expire();
      }
      const impostor = await world.impersonate(imposture);
      await request(auth);
      const call = world.last(operation);
      if (!call || impostor.received.length === 0) return;
      judged++;
      if (!(await world.hasEnded(call)))
        throw world.fault(`${operation}() never settled when it was answered ${imposture}: let it reject.`);
      judge(world, call, impostor);
    });
  }
  if (judged === 0) throw new NotRun('The strategy asks nobody by HTTP from this process.');
}

export async function judgeOutage(within: Within): Promise<void> {
  const usual = await within(async (world) => {
    const auth = world.open();
    await request(auth);
    await world.expire();
    await request(auth);
    return { signIn: last(world, 'signIn').sent, refresh: world.last('refresh')?.sent ?? [], authorize: [] };
  });
  await judgeUnder('out of order', within, (world, { operation, outcome, sent }) => {
    const seen = 'when it was answered with HTTP status 503, by a server out of order';
    if (!outcome || 'value' in outcome)
      throw world.fault(
        `${operation}() returned ${inWords(outcome ?? { value: undefined })} ${seen}: look at the status before the body, and let it fail.`,
      );
    const advice = 'say ERR_AUTH_UNAVAILABLE with retryable: true, or let the error of axios through';
    const error = toAuthError(outcome.error, 'sign-in', world.subject.strategy.name);
    if (error.code !== 'ERR_AUTH_CONFIG' && REFUSALS.includes(error.code))
      throw world.fault(
        `${operation}() said ${error.code} ${seen}: ${advice}. A refusal is taken for the last word, for up to five minutes.`,
        outcome.error,
      );
    if (!error.retryable)
      throw world.fault(
        `${operation}() threw ${inWords(outcome)} ${seen}, which is not retryable: ${advice}.`,
        outcome.error,
      );
    const again = repeated(sent, usual[operation]);
    if (again)
      throw world.fault(
        `${operation}() sent ${again.name} ${again.times} times in one outage: send it once and throw, as the library waits longer from try to try, for all calls together.`,
      );
  });
}

export async function judgeRedirect(within: Within): Promise<void> {
  await judgeUnder('elsewhere', within, (world, { operation }, { received }) => {
    for (const one of received) {
      const where = one.isElsewhere && placeOfSecret(one, world.knownSecrets);
      if (where)
        throw world.fault(
          `${operation}() followed a redirect to another server, with a secret in ${where}: follow none (axios: maxRedirects: 0; fetch: redirect: 'error'), as whoever answers could send the secret anywhere.`,
        );
    }
  });
}

function placeOfSecret({ url, headers, body }: Received, secrets: readonly string[]): string | undefined {
  if (shows(url, secrets)) return 'the URL';
  const name = Object.keys(headers).find((key) => shows(String(headers[key]), secrets));
  if (name !== undefined) return `the header ${name}`;
  return shows(body, secrets) ? 'the body' : undefined;
}

export async function judgeBound(within: Within): Promise<void> {
  await judgeUnder('endless', within, (world, { operation }, { taken }) => {
    if (taken + MIB > ENDLESS_BYTES)
      throw world.fault(
        `${operation}() read ${ENDLESS_BYTES / MIB} MiB of an answer without end: set a limit (axios: maxContentLength: 1024 * 1024; fetch: count what comes), as it would fill the memory of the plugin.`,
      );
  });
}
