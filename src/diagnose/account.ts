import { AuthError, isAuthError } from '../contract/auth-error';
import { axiosInUse } from '../http/axios';
import { apiRefusal, saidBy as kindSaidBy } from '../qelos/refusal';
import type { QelosAuth } from '../qelos-auth';
import { BUILT_IN } from '../strategies/built-in';
import { type Answer, answerFrom, describe, saidBy, within } from './answer';
import { type Check, type CheckId, failed, ok, skipped, warning } from './diagnosis';
import { slowness } from './server';

/** A call to make with the account's credential. */
export interface ProbeCall {
  /** Calls that change something are not for finding out. */
  readonly method: 'GET' | 'HEAD';
  /** Begins with `/`. */
  readonly path: string;
}

/**
 * Asks whose credential it is, which signs in first where there is none. Not by `signIn()`, which has no time-out of its own for
 * a call that hangs.
 */
export async function checkAccount(auth: QelosAuth, timeoutMs: number): Promise<Check[]> {
  let asked: Asked;
  try {
    asked = await askWho(auth, timeoutMs);
    // The first call may have signed in, which may take its time: what counts is the second.
    if (slowness(asked.durationMs)) asked = await askWho(auth, timeoutMs);
  } catch (error) {
    const why = 'not known: nobody says whose credential it is';
    if (isAuthError(error)) return [signInFailed(auth, error), skipped('identity', why)];
    if (axiosInUse().isAxiosError(error) && error.response)
      return [signInWorks(auth), refusedAfterwards(error, error.response.status)];
    return [unanswered(timeoutMs), skipped('identity', why)];
  }
  return [signInWorks(auth), ...identityOf(asked)];
}

interface Asked {
  readonly data: unknown;
  readonly durationMs: number;
}

async function askWho(auth: QelosAuth, timeoutMs: number): Promise<Asked> {
  const start = performance.now();
  const { data } = await auth.http.get<unknown>('/api/me', within(timeoutMs));
  return { data, durationMs: Math.round(performance.now() - start) };
}

/** Says why the strategies before the chosen one were not chosen. */
function signInWorks({ strategy: { name, source, skipped: before } }: QelosAuth): Check {
  const reasons = before.map(({ name: other, missing }) => `; ${other} lacks ${missing.join(', ')}`);
  return ok('sign-in', `by ${name}${source === undefined ? '' : ` (${source})`}${reasons.join('')}`);
}

function signInFailed({ strategy }: QelosAuth, error: AuthError): Check {
  const retry =
    error.retryAfterMs === undefined ? '' : ` The next try waits ${Math.ceil(error.retryAfterMs / 1000)} s.`;
  const id = error.code === 'ERR_AUTH_WORKSPACE' ? 'workspace' : 'sign-in';
  return failed(id, `${error.message}${retry}`, ...meaningOf(strategy.name, error));
}

/** The strategies whose refusals are known from Qelos; of others, their own errors know more. */
const OF_QELOS: readonly string[] = BUILT_IN.map(({ name }) => name);

/** What a code means to the person on call; where no more can be said than the error does, its own hint. */
function meaningOf(strategy: string, error: AuthError): readonly [meaning: string, next: string] {
  switch (OF_QELOS.includes(strategy) ? error.code : undefined) {
    case 'ERR_AUTH_TOKEN_REFUSED':
      return [
        'One of: expired, revoked, mistyped, of another instance, bound to a workspace that is gone. The server does not say which. If it was good a minute ago, the auth service may be restarting: try again.',
        '"npx qelos-auth tokens list" shows which tokens are alive, "npx qelos-auth tokens create" makes a new one.',
      ];
    case 'ERR_AUTH_REFUSED':
      return [
        'One of: a wrong password, an unknown user, other upper and lower case in the user name. The server does not say which. If it was good a minute ago, the auth service may be restarting: try again.',
        'Sign in with them on the log-in page of QELOS_URL; then correct QELOS_USERNAME or QELOS_PASSWORD.',
      ];
    case 'ERR_AUTH_WORKSPACE':
      return [
        'The identifier is wrong, or the user is no member of that workspace, or the token was created for another one.',
        'Correct QELOS_WORKSPACE or remove it; or: npx qelos-auth tokens create --workspace <id>',
      ];
    case 'ERR_AUTH_UNAVAILABLE':
      return [
        error.httpStatus === undefined
          ? 'The server stopped answering between two calls, or is overloaded.'
          : 'The auth service is overloaded, being deployed, or out of order.',
        'Look at the auth service and its database, and try again.',
      ];
    default:
      return [`The strategy "${strategy}" has no credential to give.`, error.hint];
  }
}

/** There is a credential, and it or its user was refused, or the auth service is out of order. */
function refusedAfterwards(error: unknown, status: number): Check {
  return failed(
    'identity',
    `GET /api/me with the credential failed (HTTP status ${status}).`,
    apiRefusal(error)?.hint ?? 'The auth service is overloaded, being deployed, or out of order.',
    'Look at the auth service and its database, and try again.',
  );
}

function unanswered(timeoutMs: number): Check {
  return failed(
    'sign-in',
    `No answer to a call with a credential within ${timeoutMs} ms, while one without is answered.`,
    'The auth service cannot look up credentials: its database hangs or is overloaded. Calls are answered with 401 meanwhile, as the gateway passes them on as anonymous.',
    'Look at the database of the auth service. The credential is not at fault: do not replace it.',
  );
}

/** What `GET /api/me` says. */
interface Me {
  readonly username?: unknown;
  readonly tenant?: unknown;
  readonly roles?: unknown;
  readonly workspace?: { readonly _id?: unknown; readonly name?: unknown } | null;
}

function identityOf({ data, durationMs }: Asked): Check[] {
  if (typeof data !== 'object' || data === null || !('_id' in data)) {
    return [failed('identity', 'The answer to GET /api/me is no user.', ...NOT_A_USER)];
  }
  const { username, tenant, roles, workspace } = data as Me;
  const who = `${text(username)}, tenant ${text(tenant)}`;
  const bound = [text(workspace?.name), text(workspace?._id)].filter((part) => part !== '').join(', ');
  return [userCheck(who, Array.isArray(roles) ? roles.map(String) : [], durationMs), ok('workspace', bound || 'none')];
}

function userCheck(who: string, roles: readonly string[], durationMs: number): Check {
  const slow = slowness(durationMs);
  if (slow !== undefined) return warning('identity', `${who}; GET /api/me took ${durationMs} ms`, ...slow);
  if (roles.length > 0) return ok('identity', `${who}, roles ${roles.join(', ')}`);
  return warning(
    'identity',
    `${who}, without any role`,
    'Most routes of Qelos ask for a role, and refuse this user with 401 or 403.',
    'Give the user a role in Qelos.',
  );
}

const NOT_A_USER = [
  'A proxy in between answers in the place of Qelos.',
  'Have whatever stands in between let /api through.',
] as const;

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Makes the call and says what its answer means. The bodies' meanings are recorded from a real instance. */
export async function checkProbe(auth: QelosAuth, { method, path }: ProbeCall, timeoutMs: number): Promise<Check> {
  const what = `${method} ${path.split(/[?#]/, 1)[0]}`;
  const start = performance.now();
  try {
    const response = await auth.http.request({ ...within(timeoutMs), method, url: path, responseType: 'text' });
    const { status, durationMs } = answerFrom(response, start);
    return ok('probe', `${what}: HTTP status ${status} in ${durationMs} ms`);
  } catch (error) {
    if (isAuthError(error)) return { ...signInFailed(auth, error), id: 'probe' };
    if (!axiosInUse().isAxiosError(error) || !error.response) {
      return failed('probe', `${what}: no answer.`, 'The service behind this route hangs or is down.', LOOK_AT_SERVICE);
    }
    const answer = answerFrom({ ...error.response, data: parsed(error.response.data) }, start);
    const said = saidBy(answer.data);
    const seen = `${what}: ${describe(answer)}${said === undefined ? '' : `, "${said}"`}.`;
    return failed('probe', seen, ...meaningOfAnswer(answer));
  }
}

const LOOK_AT_SERVICE = 'Look at the logs of the service behind this route.';

function meaningOfAnswer({ status, data }: Answer): readonly [meaning: string, next: string] {
  const said = kindSaidBy({ status, data });
  if (said === 'role') {
    return [
      'The credential is good, and its user lacks a role or permission that this route asks for.',
      'Give the user the role in Qelos, or use a token of another user. A new token of this one does not help.',
    ];
  }
  if (said === 'path') {
    return [
      'No service and no plugin has this path. It is not about the credential.',
      'Correct the path, or install the plugin that serves it.',
    ];
  }
  if (status === 401) {
    return [
      'The same credential was accepted for GET /api/me. So either the user lacks a role, or the gateway could not ask the auth service in time and passed the call on as anonymous.',
      'Run it again: if it is refused each time, it is the role.',
    ];
  }
  if (status === 404) return ['There is nothing at this path.', 'Correct the path.'];
  if (status >= 500) return ['The service behind this route is out of order.', LOOK_AT_SERVICE];
  return ['The service behind this route did not accept the call.', 'Correct the call.'];
}

function parsed(data: unknown): unknown {
  if (typeof data !== 'string') return data;
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

/** The checks that need an account, where there is none. */
export function withoutAccount(why: string, ids: readonly CheckId[]): Check[] {
  return ids.map((id) => skipped(id, why));
}
