import { AuthError } from '../contract/auth-error';
import type { Credential } from '../contract/credential';
import type { CredentialStore } from '../contract/credential-store';
import { type Clock, COOL_DOWN, doubled, systemClock } from './clock';
import { type Failure, failed } from './failure';
import { Flight, type FlightOptions } from './flight';
import { endOf, type Held, momentFor } from './lifetime';
import { nameOf } from './obtain-errors';
import { inOwnContext, isObtainingFor } from './own-context';
import { SharedCredential } from './shared-credential';
import { tellFailure } from './telling';

export type { Clock } from './clock';

export interface CredentialManagerOptions extends FlightOptions {
  store?: CredentialStore | undefined;
  /** Where in the store: one key for one account of one instance. */
  storeKey?: string;
  clock?: Clock | undefined;
  /** Told of each flight as it begins. */
  onFlight?: (flight: Promise<Credential>) => void;
}

/** Where in its life a credential is; `'ending'`: it may be over at any moment, or is already. */
export type Stage = 'living' | 'ending' | 'replaced';

/** How often a flight tries what may pass. */
const TRIES = 6;
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
 *    with the new credential; that holds for 30 s, doubling to 5 min, and ends when a flight cures a request. One that was
 *    taken over from a sibling proves nothing. Calls that begin while a rejected credential is replaced wait for that.
 * 3. Fresh → the current one, synchronously.
 * 4. Soft window (from a random point in the last 20 % of life, at most 5 min before the end; random so that replicas do
 *    not move together) → the current one, and a flight in the background.
 * 5. Hard window (the last 5 %, at most 10 s), expired, or none → wait for the flight; in the hard window until its first try
 *    has failed.
 *
 * A credential of unknown life that may be replaced (an API token in a file) has windows too: 5 s after the last look the
 * flight looks in the background, 30 s after it calls wait for that; and the flight ends there if nothing has changed.
 *
 * Callers leave the flight when they like without hurting it. What may pass (no connection, a reset, 500, 502, 503, 504) it
 * tries about six times within ten seconds, while they wait. When it fails, the current credential serves on while it lives,
 * and the next flight waits: for the back-off after an outage, for the cool-down after a refusal (see failure.ts). A failure
 * is remembered, a rejected promise never.
 */
export class CredentialManager {
  // There may be one manager for each of 100,000 tenants: what is rare has no place of its own until it is needed.
  readonly #options: CredentialManagerOptions;
  #held: Held | undefined;
  #flight: { readonly flight: Flight; readonly outcome: Promise<Credential> } | undefined;
  /** `spent`: a credential whose refresh was refused for good: it is not sent again. */
  #failure: (Failure & { readonly spent: Credential | undefined }) | undefined;
  #doubt: Doubt | undefined;
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
    const now = momentFor(held, this.#clock.now());
    if (rejected === held.credential) return this.#isUseless(held, now) ? rejected : this.#fly(true); // 2
    if (this.#flight?.flight.isRejected) return this.#orWhileItLives(this.#fly(true)); // 2
    if (now < held.softAt) return held.credential; // 1, 3
    if (now < held.hardAt) {
      if (!this.#isResting()) this.#fly().catch(() => {}); // 4: its failure is remembered, told by event, and harms nobody
      return held.credential;
    }
    return this.#orWhileItLives(this.#fly(), this.#flight?.flight.stumbled); // 5
  }

  /** Whether a credential is the current one, and if so, whether its life may be over. */
  stageOf(credential: Credential): Stage {
    const held = this.#held;
    if (held?.credential !== credential) return 'replaced';
    return momentFor(held, this.#clock.now()) < held.mayEndAt ? 'living' : 'ending';
  }

  /**
   * Whether a refusal of this credential may simply mean that its life was over, so that another try makes sense; or that it was
   * taken over from a sibling, and nobody here knows whether it was ever good.
   */
  mayHaveEnded(credential: Credential): boolean {
    return this.stageOf(credential) !== 'living' || this.#held?.isAdopted === true;
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
    if (this.#held?.credential === credential && this.#held.isAdopted) return;
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
    this.#flight?.flight.close(closedError());
  }

  get #clock(): Clock {
    return this.#options.clock ?? systemClock;
  }

  #isUseless(held: Held, now: number): boolean {
    const doubt = this.#doubt;
    return doubt !== undefined && now < doubt.until && (now < held.mayEndAt || doubt.count >= MOST_UNCURED);
  }

  /** Whether the last flight failed so lately that the next one has to wait. */
  #isResting(): boolean {
    return this.#failure !== undefined && this.#clock.now() < this.#failure.until;
  }

  /**
   * What the flight gives; or the current credential while it lives, once the flight has failed.
   *
   * @param stumbled - what resolves once there is reason not to wait for the end of the flight
   */
  async #orWhileItLives(outcome: Promise<Credential>, stumbled?: Promise<void>): Promise<Credential> {
    try {
      const first = await (stumbled ? Promise.race([outcome, stumbled]) : outcome);
      return first ?? this.#living() ?? (await outcome);
    } catch (error) {
      const living = this.#living();
      if (!living) throw error;
      return living;
    }
  }

  #living(): Credential | undefined {
    const held = this.#held;
    return held && momentFor(held, this.#clock.now()) < endOf(held) ? held.credential : undefined;
  }

  /**
   * Joins the flight, or starts one, unless the last one failed so lately that the next has to wait.
   *
   * @param isRejected - whether the current credential was refused, so that nothing but another one will do
   */
  #fly(isRejected = false): Promise<Credential> {
    if (this.#flight) {
      const { flight, outcome } = this.#flight;
      if (isObtainingFor(flight)) return Promise.reject(waitsForItself(nameOf(this.#options.strategy)));
      if (isRejected) flight.isRejected = true;
      return outcome;
    }
    const failure = this.#failure;
    if (failure && this.#isResting()) {
      return Promise.reject(failure.error.again(Math.ceil(failure.until - this.#clock.now())));
    }
    this.#shared ??= this.#sharing();
    const flight = new Flight(this.#options, this.#clock, this.#shared, {
      held: this.#held,
      isRejected,
      tries: failure?.kind === 'outage' ? 1 : TRIES, // it was out of order for longer than a moment: one look whether it still is
      spent: failure?.spent,
    });
    const outcome = inOwnContext(() => this.#land(flight));
    this.#flight = { flight, outcome };
    this.#options.onFlight?.(outcome);
    return outcome;
  }

  async #land(flight: Flight): Promise<Credential> {
    try {
      const held = await flight.run();
      this.#held = held;
      this.#shared?.landed();
      this.#failure = undefined;
      return held.credential;
    } catch (error) {
      throw this.#remember(error as AuthError, flight);
    } finally {
      this.#flight = undefined;
    }
  }

  #remember(error: AuthError, { spent, operation, durationMs }: Flight): AuthError {
    if (this.#closed) return error;
    // What was accepted once and is refused now may be accepted again.
    const hasWorked = this.#held !== undefined && !this.#held.isAdopted;
    this.#failure = { ...failed(this.#failure, error, this.#clock, hasWorked), spent };
    tellFailure(this.#options, operation, this.#failure.error, durationMs);
    return this.#failure.error;
  }

  #sharing(): SharedCredential | undefined {
    const { store, storeKey: key = nameOf(this.#options.strategy), timeoutMs, events } = this.#options;
    return store && new SharedCredential({ store, key, events, clock: this.#clock, timeoutMs });
  }
}

/** Says that there is no credential any more, as its owner ended it. */
export function closedError(): AuthError {
  return new AuthError('ERR_AUTH_CLOSED', 'The authentication was closed.', {
    hint: 'close(), or for a tenant forget(), was called, or the container was disposed of, while requests were still being made. End the work first, or create a new instance.',
  });
}

function waitsForItself(strategy: string): AuthError {
  const text = `The strategy "${strategy}" waits for itself: it makes an authenticated call in order to obtain a credential.`;
  return new AuthError('ERR_AUTH_CONFIG', text, {
    hint: 'In signIn, refresh and isReplaced use context.http, or a client of your own; the http, fetch and sdk of this account need the credential that is just being obtained.',
  });
}
