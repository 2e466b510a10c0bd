import { AuthError } from '../contract/auth-error';
import type { Credential } from '../contract/credential';
import type { CredentialStore } from '../contract/credential-store';
import { type Clock, COOL_DOWN, doubled, systemClock } from './clock';
import { Flight, type FlightOptions, tellFailure } from './flight';
import { isWithin, runApart } from './flight-context';
import { endOf, type Held } from './lifetime';
import { nameOf, toAuthError } from './obtain-errors';
import { SharedCredential } from './shared-credential';

export type { Clock } from './clock';

export interface CredentialManagerOptions extends FlightOptions {
  store?: CredentialStore | undefined;
  /** Where in the store: one key for one account of one instance. */
  storeKey?: string;
  clock?: Clock | undefined;
  /** Told of each flight as it begins. */
  onFlight?: (flight: Promise<Credential>) => void;
}

/** After an outage: doubling, with jitter. */
const BACK_OFF = { firstMs: 1_000, mostMs: 60_000 };
/** After a look at what may hold another credential at any moment, such as a file: it costs the server nothing. */
const LOOK_BACK_OFF = { firstMs: 1_000, mostMs: 5_000 };
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
  #underWay: Flight | undefined;
  #shared: SharedCredential | undefined;
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
    if (rejected === held.credential) return this.#isUseless(held, now) ? rejected : this.#replace(rejected); // 2
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
    return held?.credential !== credential || held.isAdopted === true || this.#clock.now() >= held.mayEndAt;
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
    this.#underWay?.close(closedError());
  }

  get #clock(): Clock {
    return this.#options.clock ?? systemClock;
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

  /** Another credential than the rejected one. A flight that began before may have been a mere look, and found it unchanged. */
  #replace(rejected: Credential): Promise<Credential> {
    const isJoined = this.#flight !== undefined;
    const flight = this.#fly(true);
    return isJoined ? flight.then((next) => (next === rejected ? this.#fly(true) : next)) : flight;
  }

  /**
   * Joins the flight, or starts one, unless the last one failed so lately that the next has to wait.
   *
   * @param isRejected - whether the current credential was refused, so that nothing but another one will do
   */
  #fly(isRejected = false): Promise<Credential> {
    if (this.#flight)
      return isWithin(this) ? Promise.reject(waitsForItself(nameOf(this.#options.strategy))) : this.#flight;
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
    this.#shared ??= this.#sharing();
    const flight = new Flight(this.#options, this.#clock, this.#shared);
    this.#underWay = flight;
    try {
      const held = await runApart(this, () => flight.run(this.#held, isRejected));
      if (this.#closed) throw closedError(); // by a listener, when all was over
      this.#held = held;
      this.#shared?.replaced();
      this.#failure = undefined;
      return held.credential;
    } catch (error) {
      throw this.#remember(toAuthError(error, 'sign-in', nameOf(this.#options.strategy)));
    } finally {
      this.#flight = undefined;
      this.#underWay = undefined;
    }
  }

  #sharing(): SharedCredential | undefined {
    const { store, storeKey: key = this.#options.strategy.name, timeoutMs, events } = this.#options;
    // A tenth of the time for each of its operations.
    return store && new SharedCredential({ store, key, events, clock: this.#clock, timeoutMs: timeoutMs / 10 });
  }

  #remember(error: AuthError): AuthError {
    if (this.#closed) return error;
    const last = this.#failure;
    const streak = last && isFinal(last.error) === isFinal(error) ? last.streak + 1 : 0;
    const backOff =
      error.code === 'ERR_AUTH_TOKEN_REFUSED' || error.code === 'ERR_AUTH_CONFIG' ? LOOK_BACK_OFF : BACK_OFF;
    const pause = isFinal(error)
      ? doubled(COOL_DOWN, streak)
      : Math.max(doubled(backOff, streak) * (0.5 + this.#clock.random() / 2), error.retryAfterMs ?? 0);
    const remembered = error.again(Math.ceil(pause));
    this.#failure = { error: remembered, until: this.#clock.now() + pause, streak };
    if (this.#held) tellFailure(this.#options, remembered);
    return remembered;
  }
}

function waitsForItself(strategy: string): AuthError {
  return new AuthError(
    'ERR_AUTH_BAD_RESPONSE',
    `The strategy "${strategy}" makes an authenticated request while it obtains the credential for it.`,
    {
      hint: 'Such a request would wait for itself. In signIn() and refresh(), use context.http, which sends no credential, in place of auth.http, auth.fetch and auth.sdk.',
    },
  );
}

/** Whether a failure is one of who signs in, so that the next try has to spare the account, whatever a strategy says of it. */
function isFinal({ code, retryable }: AuthError): boolean {
  return !retryable || code === 'ERR_AUTH_REFUSED';
}

/** Says that there is no credential any more, as its owner ended it. */
export function closedError(): AuthError {
  return new AuthError('ERR_AUTH_CLOSED', 'The authentication was closed.', {
    hint: 'close(), or for a tenant forget(), was called, or the container was disposed of, while requests were still being made. End the work first, or create a new instance.',
  });
}
