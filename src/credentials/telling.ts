import type { AuthError } from '../contract/auth-error';
import type { StrategyObject } from '../contract/auth-strategy';
import { type Credential, headersOf } from '../contract/credential';
import type { EventHub, Told } from '../events';
import type { Operation } from './failed-answer';
import { NOTICE_MS } from './lifetime';
import { nameOf } from './obtain-errors';
import { keyOf } from './recent-map';
import { workspaceOf } from './workspace';

/** Who tells of a flight. */
interface Teller {
  readonly events: Pick<EventHub, 'emit'>;
  readonly strategy: StrategyObject;
  readonly host?: string | undefined;
}

/** The characters of an API token by which Qelos lists it (wire: `tokenPrefix`). */
const API_TOKEN = /^ql_.{5}/;

/** Tells of a credential that was obtained. */
export function tellObtained(
  { events, strategy }: Teller,
  how: Operation | 'adoption',
  credential: Credential,
  durationMs: number,
): void {
  const { expiresAt } = credential;
  const [tokenPrefix] = API_TOKEN.exec(headersOf(credential)['x-api-key'] ?? '') ?? [];
  const workspace = workspaceOf(credential);
  const detail = {
    strategy: nameOf(strategy),
    durationMs,
    ...(expiresAt && { expiresAt }),
    ...(workspace !== undefined && { workspace }),
    ...(tokenPrefix !== undefined && { tokenPrefix }),
  };
  if (how === 'sign-in') events.emit('signedIn', detail);
  else events.emit('refreshed', { ...detail, adopted: how === 'adoption' });
  if (strategy.isConfigured && expiresAt && expiresAt.getTime() - Date.now() < NOTICE_MS && isNews(credential)) {
    events.emit('credentialExpiring', {
      strategy: nameOf(strategy),
      expiresAt,
      ...(tokenPrefix !== undefined && { tokenPrefix }),
    });
  }
}

/** Fingerprints of the credentials whose end was told: one for each that a person has configured and let run out. */
const told = new Set<string>();

function isNews(credential: Credential): boolean {
  const fingerprint = keyOf(headersOf(credential));
  return !told.has(fingerprint) && Boolean(told.add(fingerprint));
}

/** Tells that a credential could not be obtained. */
export function tellFailure(
  { events, strategy, host }: Teller,
  operation: Operation,
  { code, httpStatus, retryAfterMs }: AuthError,
  durationMs: number,
): void {
  const detail: Told<'signInFailed'> = {
    strategy: nameOf(strategy),
    code,
    durationMs,
    ...(httpStatus !== undefined && { httpStatus }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(host && { host }),
  };
  events.emit(operation === 'sign-in' ? 'signInFailed' : 'refreshFailed', detail);
}
