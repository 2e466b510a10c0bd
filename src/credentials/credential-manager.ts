import { AuthError, kindOf } from '../errors';
import type { EventHub } from '../events';
import type { AuthContext, AuthStrategy } from '../strategies/auth-strategy';
import { Credential, isSameCredential, lifetimeOf, parseCredential, serializeCredential } from './credential';
import type { CredentialStore } from './credential-store';
import { type Operation, toAuthError } from './obtain-errors';

/** Time and chance, so that tests can set them. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Calls back after some milliseconds; returns the function that prevents it. */
  schedule(ms: number, callback: () => void): () => void;
  /** A number in [0, 1). */
  random(): number;
}

const systemClock: Clock = {
  now: () => performance.now(),
  schedule(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

export interface CredentialManagerOptions {
  strategy: AuthStrategy;
  /** Makes what the strategy gets, for one attempt. */
  context: (signal: AbortSignal) => AuthContext;
  events: Pick<EventHub, 'emit'>;
  /** Milliseconds that obtaining a credential may take in all. */
  timeoutMs: number;
  store?: CredentialStore | undefined;
  /** Where in the store: one key for one account of one instance. */
  storeKey?: string;
  clock?: Clock | undefined;
  /**
   * Whether another credential than the current one, whose life is unknown, is to be had by now, though nobody refused that:
   * a file's new content. Asked when a call comes by, at most every 5 s. Never rejects.
   */
  isReplaced?: ((current: Credential) => Promise<boolean>) | undefined;
  /** Told of each flight as it begins. */
  onFlight?: (flight: Promise<Credential>) => void;
}

/** The credential in use and the moments, on the monotonic clock, at which its windows begin. */
interface Held {
  readonly credential: Credential;
  readonly softAt: number;
  readonly hardAt: number;
  /** From when on a refusal may simply mean that its life was over. */
  readonly mayEndAt: number;
}

const SOFT_WINDOW = { share: 0.2, mostMs: 300_000 };
const HARD_WINDOW = { share: 0.05, mostMs: 10_000 };
/** After an outage: doubling, with jitter. */
const BACK_OFF = { firstMs: 1_000, mostMs: 60_000 };
/** After a refusal, and after a refresh that proved useless: doubling. Long enough that nobody locks an account. */
const COOL_DOWN = { firstMs: 30_000, mostMs: 300_000 };
/** How often one refresh token is sent: the server answers spurious 401s and keeps the token. */
const REFRESH_TRIES = 3;
/** The moments between tries at which the server contradicted itself: random, up to this, doubling. */
const CONFLICT_PAUSE = { firstMs: 250, mostMs: 2_000 };
/** From when on after a look at what may have replaced a credential the next one is due: in the background; before sending. */
const LOOK = { softMs: 5_000, hardMs: 30_000 };
/** So many credentials in a row that were refused at once prove that refreshing is useless, however short their life. */
const MOST_UNCURED = 5;

/** What speaks against refreshing, since a request was last cured by it. */
interface Doubt {
  /** The last credential that a request was refused with again, and how many there were in a row. */
  last?: Credential;
  count: number;
  /** Until when refreshing counts as useless, and how often in a row it has. */
  until: number;
  streak: number;
}

const doubled = ({ firstMs, mostMs }: { firstMs: number; mostMs: number }, times: number) =>
  Math.min(firstMs * 2 ** times, mostMs);

/**
 * Keeps one credential fresh for any number of callers, with at most one sign-in or refresh under way (the flight).
 * It has no timers of its own: nothing to dispose of, nothing that keeps a process alive.
 *
 * What a caller gets:
 * 1. A rejected credential that is not the current one → the current one: a late 401 costs nothing.
 * 2. The current one was rejected → a flight; unless refreshing has just proved useless, then the same one back, so that
 *    the answer goes to the caller. It proves useless when the request whose rejection caused a flight is refused again
 *    with the new credential; that holds for 30 s, doubling to 5 min, and ends when a flight cures a request.
 * 3. Fresh → the current one, synchronously.
 * 4. Soft window (from a random point in the last 20 % of life, at most 5 min before the end; random so that replicas do
 *    not move together) → the current one, and a flight in the background.
 * 5. Hard window (the last 5 %, at most 10 s), expired, or none → wait for the flight.
 *
 * A credential of unknown life that may be replaced (an API token in a file) has windows too: 5 s after the last look the
 * flight looks in the background, 30 s after it calls wait for that; and the flight ends there if nothing has changed.
 *
 * The flight has a deadline of its own. Callers leave it when they like without hurting it. Inside: lock and re-read the
 * store → take over a sibling's newer credential → refresh, again after a random moment if refused (twice at most: the
 * server answers spurious 401s and keeps the token) → sign in, once → save → publish. When it fails, the current
 * credential serves on while it lives, and the next flight waits: for the back-off after an outage (1 s doubling to 60 s,
 * or what the server asks for), for the cool-down after a refusal. A failure is remembered, a rejected promise never.
 */
export class CredentialManager {
  // There may be one manager for each of 100,000 tenants: what is rare has no place of its own until it is needed.
  readonly #options: CredentialManagerOptions;
  #held: Held | undefined;
  #flight: Promise<Credential> | undefined;
  #failure: { error: AuthError; until: number; streak: number } | undefined;
  #doubt: Doubt | undefined;
  #abort: AbortController | undefined;
  /** The store's text when the flight last read it, and when the current credential was obtained. */
  #stored: { read?: string | undefined; replaced?: string | undefined } | undefined;
  #closed = false;

  /** @param options - kept, and read whenever they are needed */
  constructor(options: CredentialManagerOptions) {
    this.#options = options;
  }

  /**
   * The credential to send a request with: at once where there is a good one, else a promise shared by all callers, which
   * each of them may stop waiting for.
   *
   * @param rejected - the credential that the server has just refused, if that is why one is asked for
   * @returns the same credential as `rejected` if no better one can be had: the refusal is then the answer
   * @throws AuthError (as a rejection) why none can be had. The object is shared: rethrow `error.again()`.
   */
  get(rejected?: Credential): Credential | Promise<Credential> {
    if (this.#closed) return Promise.reject(closedError());
    const held = this.#held;
    if (held === undefined) return this.#fly();
    const now = this.#clock.now();
    if (rejected === held.credential) return this.#isUseless(held, now) ? rejected : this.#fly(true); // 2
    if (now < held.softAt) return held.credential; // 1, 3
    if (now < held.hardAt) {
      if (!this.#isResting(now)) this.#fly().catch(() => {}); // 4: its failure is remembered, told by event, and harms nobody
      return held.credential;
    }
    return this.#fly().catch((error) => this.#whileItLives(error)); // 5
  }

  /** Whether a refusal of this credential may simply mean that its life was over, so that another try makes sense. */
  mayHaveEnded(credential: Credential): boolean {
    const held = this.#held;
    return held?.credential !== credential || this.#clock.now() >= held.mayEndAt;
  }

  /**
   * Tells how a request fared that was sent once more after a flight which its rejection had caused.
   *
   * @param credential - what it was sent with the second time
   */
  replayed(credential: Credential, cured: boolean): void {
    if (cured) {
      this.#doubt = undefined;
      return;
    }
    this.#doubt ??= { count: 0, until: Number.NEGATIVE_INFINITY, streak: 0 };
    const doubt = this.#doubt;
    if (doubt.last !== credential) doubt.count++;
    doubt.last = credential;
    if (this.mayHaveEnded(credential) && doubt.count < MOST_UNCURED) return;
    const now = this.#clock.now();
    if (now < doubt.until) return;
    doubt.until = now + doubled(COOL_DOWN, doubt.streak++);
  }

  /** Ends the flight and all who wait for it with `ERR_AUTH_CLOSED`; from then on there is no credential. */
  close(): void {
    this.#closed = true;
    this.#held = undefined;
    this.#abort?.abort(closedError());
  }

  get #clock(): Clock {
    return this.#options.clock ?? systemClock;
  }

  get #storeKey(): string {
    return this.#options.storeKey ?? this.#options.strategy.name;
  }

  #isUseless(held: Held, now: number): boolean {
    const doubt = this.#doubt;
    return doubt !== undefined && now < doubt.until && (now < held.mayEndAt || doubt.count >= MOST_UNCURED);
  }

  /** Whether the last flight failed so lately that the next one has to wait. */
  #isResting(now: number): boolean {
    return this.#failure !== undefined && now < this.#failure.until;
  }

  #whileItLives(error: AuthError): Credential {
    const held = this.#held;
    if (held === undefined || this.#clock.now() >= endOf(held)) throw error;
    return held.credential;
  }

  /**
   * Joins the flight, or starts one, unless the last one failed so lately that the next has to wait.
   *
   * @param isRejected - whether the current credential was refused, so that nothing but another one will do
   */
  #fly(isRejected = false): Promise<Credential> {
    if (this.#flight) return this.#flight;
    const now = this.#clock.now();
    if (this.#failure && this.#isResting(now)) {
      const { error, until } = this.#failure;
      return Promise.reject(error.again(Math.ceil(until - now)));
    }
    this.#flight = this.#attempt(isRejected);
    this.#options.onFlight?.(this.#flight);
    return this.#flight;
  }

  async #attempt(isRejected: boolean): Promise<Credential> {
    const abort = new AbortController();
    this.#abort = abort;
    const { timeoutMs } = this.#options;
    const cancelDeadline = this.#clock.schedule(timeoutMs, () => abort.abort(deadlineError(timeoutMs)));
    try {
      const held = (!isRejected && (await this.#look(abort.signal))) || (await this.#obtain(abort.signal));
      this.#held = held;
      if (this.#stored) this.#stored.replaced = this.#stored.read;
      this.#failure = undefined;
      return held.credential;
    } catch (error) {
      throw this.#remember(error as AuthError);
    } finally {
      cancelDeadline();
      this.#flight = undefined;
      this.#abort = undefined;
    }
  }

  #remember(error: AuthError): AuthError {
    if (this.#closed) return error;
    const isRefusal = !error.retryable;
    const last = this.#failure;
    const streak = last && !last.error.retryable === isRefusal ? last.streak + 1 : 0;
    const pause = isRefusal
      ? doubled(COOL_DOWN, streak)
      : Math.max(doubled(BACK_OFF, streak) * (0.5 + this.#clock.random() / 2), error.retryAfterMs ?? 0);
    const remembered = error.again(Math.ceil(pause));
    this.#failure = { error: remembered, until: this.#clock.now() + pause, streak };
    if (this.#held) this.#tellFailure(remembered);
    return remembered;
  }

  #tellFailure({ code, status, retryAfterMs }: AuthError): void {
    this.#options.events.emit('refreshFailed', {
      strategy: this.#options.strategy.name,
      code,
      ...(status !== undefined && { status }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }

  /** Looks whether the current credential was replaced. Gives it back, to be looked at again later, if it was not. */
  async #look(signal: AbortSignal): Promise<Held | undefined> {
    const held = this.#held;
    const { isReplaced } = this.#options;
    if (!held || held.mayEndAt < Infinity || !isReplaced) return undefined;
    if (await untilAborted(signal, () => isReplaced(held.credential))) return undefined;
    return lookAgain(held, this.#clock.now());
  }

  /** The way from nothing, or from a credential that is no longer good, to a new one. */
  async #obtain(signal: AbortSignal): Promise<Held> {
    const unlock = await this.#lock(signal);
    try {
      const stored = await this.#newerInStore(this.#held?.credential, signal);
      if (stored && !hasEnded(stored)) return this.#adopt(stored);
      return await this.#renew(stored ?? this.#held?.credential, signal);
    } finally {
      const unlocked = unlock && this.#unlock(unlock);
      if (unlocked) await untilAborted(signal, () => unlocked).catch(() => {});
    }
  }

  #lock(signal: AbortSignal): Promise<(() => Promise<void>) | undefined> {
    return this.#withStore(
      'lock',
      signal,
      (store, signal) => store.lock?.(this.#storeKey, { signal }),
      (unlock) => void (unlock && this.#unlock(unlock)),
    );
  }

  /** Lets go of the lock in any case: nobody else will, as its holder is still there. */
  #unlock(unlock: () => Promise<void>): Promise<void> {
    return this.#withStore('unlock', new AbortController().signal, unlock);
  }

  async #renew(current: Credential | undefined, signal: AbortSignal): Promise<Held> {
    if (current && this.#canRefresh(current)) {
      const refreshed = await this.#refresh(current, signal);
      if (refreshed) return refreshed;
      // Without a lock, a sibling may have spent the refresh token meanwhile and saved what it got.
      const stored = await this.#newerInStore(current, signal);
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
          this.#tellFailure(error);
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
        if (!(error instanceof AuthError) || error.status !== 401 || !error.retryable) throw error;
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
    const { name } = this.#options.strategy;
    let credential: unknown;
    try {
      credential = await untilAborted(signal, async () => call(this.#options.context(signal)));
    } catch (error) {
      throw signal.aborted ? signal.reason : toAuthError(error, operation, name);
    }
    if (!(credential instanceof Credential)) {
      throw new AuthError('ERR_AUTH_BAD_RESPONSE', `The strategy "${name}" returned no Credential at ${operation}.`, {
        hint: 'This is a fault in the strategy: return Credential.apiKey(…), Credential.bearer(…) or Credential.headers(…).',
      });
    }
    const held = hold(credential, sentAt, this.#clock.random());
    return this.#options.isReplaced && held.softAt === Infinity ? lookAgain(held, sentAt) : held;
  }

  async #publish(event: 'signedIn' | 'refreshed', held: Held, signal: AbortSignal): Promise<Held> {
    const { credential } = held;
    await this.#withStore('save', signal, (store, signal) =>
      store.save(this.#storeKey, serializeCredential(credential), { signal }),
    );
    const detail = {
      strategy: this.#options.strategy.name,
      ...(credential.expiresAt && { expiresAt: credential.expiresAt }),
    };
    if (event === 'signedIn') this.#options.events.emit('signedIn', detail);
    else this.#options.events.emit('refreshed', { ...detail, adopted: false });
    return held;
  }

  #adopt(credential: Credential): Held {
    const { expiresAt } = credential;
    this.#options.events.emit('refreshed', {
      strategy: this.#options.strategy.name,
      ...(expiresAt && { expiresAt }),
      adopted: true,
    });
    return hold(credential, this.#clock.now(), this.#clock.random());
  }

  /**
   * What the store holds, if it is another credential than the one given, and not what that one has replaced: a store that
   * failed to save would bring back a spent refresh token.
   */
  async #newerInStore(current: Credential | undefined, signal: AbortSignal): Promise<Credential | undefined> {
    const text = await this.#withStore('load', signal, (store, signal) => store.load(this.#storeKey, { signal }));
    if (text === undefined || text === this.#stored?.replaced) return undefined;
    this.#stored = { ...this.#stored, read: text };
    const stored = parseCredential(text);
    return stored && !(current && isSameCredential(stored, current)) ? stored : undefined;
  }

  /**
   * The store helps where it can; where it fails or is slow, that is told and the flight goes on. Clients of a store that
   * is down often wait rather than fail, so each operation gets a tenth of the time for obtaining a credential.
   */
  async #withStore<T>(
    operation: 'lock' | 'load' | 'save' | 'unlock',
    signal: AbortSignal,
    use: (store: CredentialStore, signal: AbortSignal) => Promise<T> | undefined,
    tooLate?: (result: T | undefined) => void,
  ): Promise<T | undefined> {
    const { store, timeoutMs } = this.#options;
    if (!store) return undefined;
    const patience = new AbortController();
    const cancel = this.#clock.schedule(timeoutMs / 10, () => patience.abort(new StoreTimeout()));
    const either = AbortSignal.any([signal, patience.signal]);
    try {
      return await untilAborted(either, async () => use(store, either), tooLate);
    } catch (error) {
      if (signal.aborted && (operation !== 'save' || this.#closed)) throw signal.reason;
      this.#options.events.emit('storeFailed', { operation, reason: kindOf(error) });
      return undefined;
    } finally {
      cancel();
    }
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

/** What a store's operation fails with that takes too long. */
class StoreTimeout extends Error {}

/** A refused refresh leads to a sign-in; anything else that fails is an outage. */
function isRefusedRefresh(error: AuthError): boolean {
  return error.code === 'ERR_AUTH_REFUSED' || error.code === 'ERR_AUTH_TOKEN_REFUSED';
}

/** Whether a stored credential is past its end by this machine's clock; only then is it worth nothing. */
function hasEnded({ expiresAt }: Credential): boolean {
  return expiresAt !== undefined && expiresAt.getTime() <= Date.now();
}

/** A life that is unknown, or so short that it may end at any moment, has no windows: such a credential is used until refused. */
function hold(credential: Credential, sentAt: number, random: number): Held {
  const life = lifetimeOf(credential);
  const mayEndAt = life === undefined ? Number.POSITIVE_INFINITY : sentAt + life;
  if (!life) return { credential, softAt: Infinity, hardAt: Infinity, mayEndAt };
  const before = ({ share, mostMs }: { share: number; mostMs: number }) => Math.min(life * share, mostMs);
  const hardAt = mayEndAt - before(HARD_WINDOW);
  const earliest = mayEndAt - before(SOFT_WINDOW);
  return { credential, softAt: earliest + (hardAt - earliest) * random, hardAt, mayEndAt };
}

/** A credential without windows is used until it is refused. */
function endOf({ hardAt, mayEndAt }: Held): number {
  return hardAt === Infinity ? Infinity : mayEndAt;
}

/** A credential of unknown life that may be replaced is looked at again soon; until then, and if that fails, it serves on. */
function lookAgain(held: Held, lookedAt: number): Held {
  return { ...held, softAt: lookedAt + LOOK.softMs, hardAt: lookedAt + LOOK.hardMs };
}

/**
 * Settles with what `start` leads to, or rejects with the signal's reason as soon as it aborts.
 *
 * @param tooLate - gets what `start` leads to after that
 */
function untilAborted<T>(
  signal: AbortSignal,
  start: () => Promise<T>,
  tooLate: (result: T) => void = () => {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    let settle = resolve as (result: T) => void;
    const onAbort = () => {
      settle = tooLate;
      reject(signal.reason);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    start()
      .then((result) => settle(result), reject)
      .finally(() => signal.removeEventListener('abort', onAbort)); // a flight of many tries would pile them up
  });
}

function deadlineError(timeoutMs: number): AuthError {
  return new AuthError('ERR_AUTH_UNAVAILABLE', `No credential was obtained within ${timeoutMs} ms.`, {
    hint: 'The Qelos instance does not answer, or too slowly. Check that QELOS_URL can be reached and look at its state; the option config.timeoutMs sets the limit. The next try is made by itself.',
    retryable: true,
  });
}

/** Says that there is no credential any more, as its owner ended it. */
export function closedError(): AuthError {
  return new AuthError('ERR_AUTH_CLOSED', 'The authentication was closed.', {
    hint: 'close(), or for a tenant forget(), was called, or the container was disposed of, while requests were still being made. End the work first, or create a new instance.',
  });
}
