import { AuthError } from '../contract/auth-error';
import type { AuthContext, AuthStrategy } from '../contract/auth-strategy';
import { asCredential, type Credential } from '../contract/credential';
import type { EventHub } from '../events';
import { type Clock, doubled } from './clock';
import { type Held, hasEnded, hold, lookAgain } from './lifetime';
import { nameOf, type Operation, toAuthError } from './obtain-errors';
import type { SharedCredential } from './shared-credential';
import { untilAborted } from './until-aborted';

export interface FlightOptions {
  strategy: AuthStrategy;
  /** Makes what the strategy gets, for one attempt. */
  context: (signal: AbortSignal) => AuthContext;
  events: Pick<EventHub, 'emit'>;
  /** Milliseconds that obtaining a credential may take in all. */
  timeoutMs: number;
  /**
   * Whether another credential than the current one, whose life is unknown, is to be had by now, though nobody refused that:
   * a file's new content. Asked when a call comes by, at most every 5 s. Never rejects.
   */
  isReplaced?: ((current: Credential) => Promise<boolean>) | undefined;
}

/** How often one refresh token is sent: the server answers spurious 401s and keeps the token. */
const REFRESH_TRIES = 3;
/** The moments between tries at which the server contradicted itself: random, up to this, doubling. */
const CONFLICT_PAUSE = { firstMs: 250, mostMs: 2_000 };

/**
 * One way from nothing, or from a credential that is no longer good, to a new one. It has a deadline of its own. Inside: lock
 * and re-read the store → take over a sibling's newer credential → refresh, again after a random moment if refused (twice at
 * most: the server answers spurious 401s and keeps the token) → sign in, once → save → publish.
 */
export class Flight {
  readonly #options: FlightOptions;
  readonly #clock: Clock;
  readonly #shared: SharedCredential | undefined;
  readonly #abort = new AbortController();
  #closed = false;

  /** @param options - read whenever they are needed */
  constructor(options: FlightOptions, clock: Clock, shared: SharedCredential | undefined) {
    this.#options = options;
    this.#clock = clock;
    this.#shared = shared;
  }

  /**
   * @param held - what is to be replaced
   * @param isRejected - whether that was refused, so that nothing but another one will do
   * @throws AuthError why no credential can be had
   */
  async run(held: Held | undefined, isRejected: boolean): Promise<Held> {
    const { timeoutMs } = this.#options;
    const { signal } = this.#abort;
    const cancelDeadline = this.#clock.schedule(timeoutMs, () => this.#abort.abort(deadlineError(timeoutMs)));
    try {
      return (!isRejected && (await this.#look(held, signal))) || (await this.#obtain(held?.credential, signal));
    } finally {
      cancelDeadline();
    }
  }

  /** Ends it, and tells nobody. */
  close(reason: AuthError): void {
    this.#closed = true;
    this.#abort.abort(reason);
  }

  /** Looks whether the current credential was replaced. Gives it back, to be looked at again later, if it was not. */
  async #look(held: Held | undefined, signal: AbortSignal): Promise<Held | undefined> {
    const { isReplaced } = this.#options;
    if (!held || held.mayEndAt < Infinity || !isReplaced) return undefined;
    if (await untilAborted(signal, () => isReplaced(held.credential))) return undefined;
    return lookAgain(held, this.#clock.now());
  }

  async #obtain(current: Credential | undefined, signal: AbortSignal): Promise<Held> {
    const shared = this.#shared;
    if (!shared) return this.#renew(current, signal);
    const unlock = await shared.lock(signal);
    try {
      const stored = await shared.newerThan(current, signal);
      if (stored && !hasEnded(stored)) return this.#adopt(stored);
      return await this.#renew(stored ?? current, signal);
    } finally {
      const unlocked = unlock && shared.unlock(unlock);
      if (unlocked) await untilAborted(signal, () => unlocked).catch(() => {});
    }
  }

  async #renew(current: Credential | undefined, signal: AbortSignal): Promise<Held> {
    if (current && this.#canRefresh(current)) {
      const refreshed = await this.#refresh(current, signal);
      if (refreshed) return refreshed;
      // Without a lock, a sibling may have spent the refresh token meanwhile and saved what it got.
      const stored = await this.#shared?.newerThan(current, signal);
      if (stored && !hasEnded(stored)) return this.#adopt(stored);
    }
    return this.#signIn(signal);
  }

  /** A bearer credential without refresh token has nothing to refresh with. */
  #canRefresh(credential: Credential): boolean {
    if (!this.#options.strategy.refresh) return false;
    return credential.refreshToken !== undefined || !credential.headerNames.includes('authorization');
  }

  /** Undefined if the server refuses to refresh; any other failure is thrown. */
  async #refresh(current: Credential, signal: AbortSignal): Promise<Held | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        const held = await this.#call('refresh', signal, (context) =>
          this.#options.strategy.refresh?.(current, context),
        );
        return await this.#publish('refreshed', held, signal);
      } catch (error) {
        if (!(error instanceof AuthError) || !isRefusedRefresh(error)) throw error;
        if (!error.retryable || tries === REFRESH_TRIES) {
          tellFailure(this.#options, error);
          return undefined;
        }
        await this.#pause(tries - 1, signal);
      }
    }
  }

  async #signIn(signal: AbortSignal): Promise<Held> {
    for (let tries = 0; ; tries++) {
      try {
        const held = await this.#call('sign-in', signal, (context) => this.#options.strategy.signIn(context));
        return await this.#publish('signedIn', held, signal);
      } catch (error) {
        // A 401 that can be tried again is a write conflict: the server contradicts itself until the others are done.
        const isConflict = error instanceof AuthError && error.status === 401 && error.retryable;
        if (!isConflict || isRefusedRefresh(error)) throw error;
        await this.#pause(tries, signal);
      }
    }
  }

  /** One call of the strategy, bounded by the deadline even if the strategy ignores its signal. */
  async #call(
    operation: Operation,
    signal: AbortSignal,
    call: (context: AuthContext) => Promise<Credential> | undefined,
  ): Promise<Held> {
    const sentAt = this.#clock.now();
    const name = nameOf(this.#options.strategy);
    let returned: unknown;
    try {
      returned = await untilAborted(signal, async () => call(this.#options.context(signal)));
    } catch (error) {
      throw signal.aborted ? signal.reason : toAuthError(error, operation, name);
    }
    const credential = asCredential(returned);
    if (!credential) {
      throw new AuthError('ERR_AUTH_BAD_RESPONSE', `The strategy "${name}" returned no Credential at ${operation}.`, {
        hint: 'This is a fault in the strategy: return Credential.apiKey(…), Credential.bearer(…) or Credential.headers(…).',
      });
    }
    const held = hold(credential, sentAt, this.#clock.random());
    return this.#options.isReplaced && held.softAt === Infinity ? lookAgain(held, sentAt) : held;
  }

  async #publish(event: 'signedIn' | 'refreshed', held: Held, signal: AbortSignal): Promise<Held> {
    const { credential } = held;
    await this.#shared?.save(credential, signal, () => this.#closed);
    const { events, strategy } = this.#options;
    const { expiresAt } = credential;
    const detail = { strategy: nameOf(strategy), ...(expiresAt && { expiresAt }) };
    if (event === 'signedIn') events.emit('signedIn', detail);
    else events.emit('refreshed', { ...detail, adopted: false });
    return held;
  }

  #adopt(credential: Credential): Held {
    const { events, strategy } = this.#options;
    const { expiresAt } = credential;
    events.emit('refreshed', { strategy: nameOf(strategy), ...(expiresAt && { expiresAt }), adopted: true });
    return { ...hold(credential, this.#clock.now(), this.#clock.random()), isAdopted: true };
  }

  #pause(times: number, signal: AbortSignal): Promise<void> {
    const ms = doubled(CONFLICT_PAUSE, times) * (0.2 + 0.8 * this.#clock.random());
    let cancel = () => {};
    return untilAborted(
      signal,
      () => new Promise<void>((resolve) => (cancel = this.#clock.schedule(ms, resolve))),
    ).finally(() => cancel());
  }
}

/** Tells that the current credential could not be renewed. */
export function tellFailure({ events, strategy }: FlightOptions, { code, status, retryAfterMs }: AuthError): void {
  events.emit('refreshFailed', {
    strategy: nameOf(strategy),
    code,
    ...(status !== undefined && { status }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** A refused refresh leads to a sign-in; anything else that fails is an outage. */
function isRefusedRefresh(error: AuthError): boolean {
  return error.code === 'ERR_AUTH_REFUSED' || error.code === 'ERR_AUTH_TOKEN_REFUSED';
}

function deadlineError(timeoutMs: number): AuthError {
  return new AuthError('ERR_AUTH_UNAVAILABLE', `No credential was obtained within ${timeoutMs} ms.`, {
    hint: 'The Qelos instance does not answer, or too slowly. Check that QELOS_URL can be reached and look at its state; the option config.timeoutMs sets the limit. The next try is made by itself.',
    retryable: true,
  });
}
