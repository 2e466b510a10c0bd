import { type AuthError, type AuthErrorCode, isAuthError } from '../../contract/auth-error';
import { Credential } from '../../contract/credential';
import { toAuthError } from '../../credentials/obtain-errors';
import type { SentRequest, StrategyCall } from './observed-strategy';
import { inWords, type Outcome, request, type World } from './world';

/** So short that the cases about silence are quick: nobody will answer anyway. */
export const SHORT_MS = 50;

/** Nobody gives out a credential for longer. */
const MOST_YEARS = 5;
const YEAR_MS = 366 * 24 * 3_600_000;

/** What a refusal may be called. Anything else is taken for an outage, or for a fault of the strategy. */
export const REFUSALS: readonly AuthErrorCode[] = [
  'ERR_AUTH_REFUSED',
  'ERR_AUTH_TOKEN_REFUSED',
  'ERR_AUTH_CONFIG',
  'ERR_AUTH_WORKSPACE',
];

/** A call of the API that has to sign in for it. */
export async function signedIn(world: World): Promise<Outcome> {
  let auth: ReturnType<World['open']>;
  try {
    auth = world.open();
  } catch (error) {
    throw world.fault(`The library does not take the strategy: ${inWords({ error })}`, error);
  }
  return request(auth);
}

/** The last call of an operation that the library has made for certain: without one, no request is sent. */
export function last(world: World, operation: StrategyCall['operation']): StrategyCall {
  return world.last(operation) as StrategyCall;
}

/** The credential that a strategy's call has come to, if there is nothing wrong with it. */
export function freshCredential(world: World, { operation, outcome: result }: StrategyCall): Credential {
  if (result === undefined)
    throw world.fault(
      `${operation}() never settled although everybody answers: let it resolve with a Credential, or reject.`,
    );
  if ('error' in result)
    throw world.fault(`${operation}() failed although nothing stands in its way: ${inWords(result)}`, result.error);
  if (!(result.value instanceof Credential))
    throw world.fault(
      `${operation}() returned ${inWords(result)}: return Credential.apiKey(…), Credential.bearer(…) or Credential.headers(…).`,
    );
  const { expiresAt } = result.value;
  if (expiresAt && expiresAt.getTime() > Date.now() + MOST_YEARS * YEAR_MS)
    throw world.fault(
      `${operation}() returned a Credential that ends at ${expiresAt.toISOString()}, in more than ${MOST_YEARS} years: check where its expiresAt comes from (a moment, not a length of time; milliseconds, not microseconds), and leave it out if nobody knows the end.`,
    );
  if (expiresAt && expiresAt.getTime() <= Date.now())
    throw world.fault(
      `${operation}() returned a Credential that ended at ${expiresAt.toISOString()}: obtain a new one, and check where its expiresAt comes from (milliseconds, not seconds).`,
    );
  return result.value;
}

/** What a call of a strategy that was refused has thrown, as the library sees it. */
export function refusalOf(world: World, { operation, outcome }: StrategyCall): AuthError {
  if (outcome === undefined)
    throw world.fault(`${operation}() never settled when it was refused: let it reject, with an AuthError.`);
  if ('value' in outcome)
    throw world.fault(
      `${operation}() swallowed a refusal and returned ${inWords(outcome)}: let it reject, with an AuthError. (Or refuse() of this suite does not make anybody refuse.)`,
    );
  const error = toAuthError(outcome.error, 'sign-in', world.subject.strategy.name);
  // Of an error without a status that it did not make itself, the library knows nothing.
  const isForeign =
    !isAuthError(outcome.error) && error.code === 'ERR_AUTH_BAD_RESPONSE' && error.httpStatus === undefined;
  if (isForeign)
    throw world.fault(
      `${operation}() threw ${inWords(outcome)} when it was refused: throw an AuthError that names the setting and says what to do, or let the error of axios through.`,
      outcome.error,
    );
  return error;
}

/** A request that was sent more often than it usually is. */
export function repeated(
  sent: readonly SentRequest[],
  usual: readonly SentRequest[],
): { name: string; times: number } | undefined {
  const times = (list: readonly string[], name: string) => list.filter((other) => other === name).length;
  const names = sent.map(({ name }) => name);
  const paths = usual.map(({ name }) => pathOf(name));
  for (const name of names) {
    // The two worlds have ports of their own.
    const most = Math.max(1, times(paths, pathOf(name)));
    if (times(names, name) > most) return { name, times: times(names, name) };
  }
  return undefined;
}

const pathOf = (name: string) => name.replace(/:\d+(?=\/|$)/, '');

export async function assertEnded(world: World, call: StrategyCall): Promise<void> {
  if (await world.hasEnded(call)) return;
  throw world.fault(
    `${call.operation}() ignored context.signal: pass it to whatever it waits for. It was still waiting a second after the signal had aborted.`,
  );
}

/** What it returns, or the error that it throws. */
export async function attempt(body: () => unknown): Promise<unknown> {
  try {
    return await body();
  } catch (error) {
    return error;
  }
}
