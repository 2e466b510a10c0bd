import { AuthError } from '../contract/auth-error';
import type { AuthContext, StrategyObject } from '../contract/auth-strategy';
import { asCredential, type Credential, isSameCredential } from '../contract/credential';
import type { EventHub } from '../events';
import { type Clock, doubled } from './clock';
import { pauseBeforeRetry, RETRY_WINDOW_MS } from './failure';
import { giveNotice, type Held, hold, lookAgain, moment } from './lifetime';
import { deadlineError, isRefusal, nameOf, noCredential, type Operation, toAuthError } from './obtain-errors';
import { obtainingFor } from './own-context';
import type { SharedCredential } from './shared-credential';
import { tellFailure, tellObtained } from './telling';
import { pause, untilAborted } from './until-aborted';

export interface FlightOptions {
  strategy: StrategyObject;
  /** Makes what the strategy gets, for one attempt. */
  context: (signal: AbortSignal) => AuthContext;
  events: Pick<EventHub, 'emit'>;
  /** Host of the Qelos instance, for events. */
  host?: string | undefined;
  /** Milliseconds that obtaining a credential may take in all, but for sign-ins of a strategy that has a limit of its own. */
  timeoutMs: number;
}

/** How often one refresh token is sent: the server answers spurious 401s and keeps the token. */
const REFRESH_TRIES = 3;
/** The moments between tries at which the server contradicted itself: random, up to this, doubling. */
const CONFLICT_PAUSE = { firstMs: 250, mostMs: 2_000 };
/** A slow server contradicts itself for longer: up to twice what the try took, but no longer than this. */
const SLOW_CONFLICT = { times: 2, mostMs: 8_000 };
/** After 30 s, a Qelos without its database answers a right password as a wrong one. */
const CALL_TIMEOUT_MS = 20_000;

/** What a flight begins with. */
interface Departure {
  /** What is to be replaced. */
  held: Held | undefined;
  /** Whether that was refused, so that nothing but another one will do. */
  isRejected: boolean;
  /** How often to try what may pass. */
  tries: number;
  /** A credential whose refresh was refused for good. */
  spent: Credential | undefined;
}

/**
 * One way from nothing, or from a credential that is no longer good, to a new one. It has a deadline of its own. Inside: lock
 * and re-read the store → take over a sibling's newer credential → refresh, again after a random moment if refused (twice at
 * most: the server answers spurious 401s and keeps the token) → sign in, once → save → publish. What may pass is tried again
 * while callers wait.
 */
export class Flight {
  /** Whether the current credential was refused, from the start or meanwhile. */
  isRejected: boolean;
  /** Resolves when a try has failed that is made again: nobody who has a credential need wait any longer. */
  readonly stumbled: Promise<void>;
  /** A credential whose refresh was refused for good: it is not sent again. */
  spent: Credential | undefined;
  /** What was tried last, or is to be tried first. */
  operation: Operation;
  readonly #startedAt: number;
  readonly #options: FlightOptions;
  readonly #clock: Clock;
  readonly #shared: SharedCredential | undefined;
  readonly #held: Held | undefined;
  readonly #tries: number;
  readonly #abort = new AbortController();
  #deadlineAt = Number.POSITIVE_INFINITY;
  #cancelDeadline: () => void = () => {};
  #stumble: () => void = () => {};
  #conflict: AuthError | undefined;
  #closed: AuthError | undefined;

  /** @param options - read whenever they are needed */
  constructor(options: FlightOptions, clock: Clock, shared: SharedCredential | undefined, departure: Departure) {
    this.#options = options;
    this.#clock = clock;
    this.#shared = shared;
    this.#held = departure.held;
    this.isRejected = departure.isRejected;
    this.operation = departure.held ? 'refresh' : 'sign-in';
    this.#startedAt = clock.now();
    this.#tries = departure.tries;
    this.spent = departure.spent;
    this.stumbled = new Promise((resolve) => {
      this.#stumble = resolve;
    });
  }

  /** @throws AuthError why no credential can be had */
  async run(): Promise<Held> {
    this.#endWithin(this.#options.timeoutMs);
    try {
      const held = (await this.#look()) ?? (await this.#obtain());
      if (this.#closed) throw this.#closed; // by a listener of what has just been told
      return held;
    } catch (error) {
      throw this.#closed ?? toAuthError(error, 'sign-in', nameOf(this.#options.strategy));
    } finally {
      this.#cancelDeadline();
    }
  }

  /** Milliseconds since it began. */
  get durationMs(): number {
    return Math.round(this.#clock.now() - this.#startedAt);
  }

  /** From now on it may take so many milliseconds; those before no longer count. */
  #endWithin(ms: number): void {
    this.#cancelDeadline();
    this.#deadlineAt = this.#clock.now() + ms;
    this.#cancelDeadline =
      ms === Infinity
        ? () => {}
        : this.#clock.schedule(ms, () => this.#abort.abort(this.#conflict ?? deadlineError(ms)));
  }

  /** Ends it, and tells nobody. */
  close(reason: AuthError): void {
    this.#closed = reason;
    this.#abort.abort(reason);
  }

  get #signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Looks whether the current credential was replaced. Gives it back, to be looked at again later, if it is as good as before. */
  async #look(): Promise<Held | undefined> {
    const held = this.#held;
    if (this.isRejected || !held || held.mayEndAt < Infinity || !this.#options.strategy.isReplaced) return undefined;
    const isAnother = await obtainingFor(this, () => this.#isReplaced(held.credential));
    return isAnother || this.isRejected ? undefined : lookAgain(held, moment(this.#clock));
  }

  /** A source that is at fault, or slow, is nobody's problem while the current credential is good. */
  async #isReplaced(current: Credential): Promise<boolean> {
    const { strategy, timeoutMs } = this.#options;
    let cancel = () => {};
    const tooLate = new Promise<false>((resolve) => {
      cancel = this.#clock.schedule(timeoutMs / 10, () => resolve(false));
    });
    const look = async () => (await strategy.isReplaced?.(current)) === true;
    return untilAborted(this.#signal, () => Promise.race([look().catch(() => false), tooLate])).finally(() => cancel());
  }

  async #obtain(): Promise<Held> {
    const shared = this.#shared;
    const current = this.#held?.credential;
    if (!shared) return this.#renew(current);
    const { adopted, ended, unlock } = await shared.turn(current, this.#signal);
    try {
      if (adopted) return this.#adopt(adopted);
      return await this.#renew(ended ?? current);
    } catch (error) {
      if (this.isRejected && current) await this.#whileWaited(shared.refused(current));
      throw error;
    } finally {
      if (unlock) await this.#whileWaited(unlock());
    }
  }

  async #renew(current: Credential | undefined): Promise<Held> {
    if (current && this.#canRefresh(current)) {
      const refreshed = await this.#refresh(current);
      if (refreshed) return refreshed;
      // Without a lock, a sibling may have spent the refresh token meanwhile and saved what it got.
      const adopted = await this.#shared?.adoptable(current, this.#signal);
      if (adopted) return this.#adopt(adopted);
    }
    return this.#signIn(current);
  }

  /** A bearer credential without refresh token has nothing to refresh with; one that was refused for good is not sent again. */
  #canRefresh(credential: Credential): boolean {
    if (!this.#options.strategy.refresh || (this.spent && isSameCredential(this.spent, credential))) return false;
    return credential.refreshToken !== undefined || !credential.headerNames.includes('authorization');
  }

  /** Undefined if the server refuses to refresh; any other failure is thrown. */
  async #refresh(current: Credential): Promise<Held | undefined> {
    for (let tries = 1; ; tries++) {
      const startedAt = this.#clock.now();
      try {
        return await this.#tried('refresh', (context) => this.#options.strategy.refresh?.(current, context));
      } catch (error) {
        if (!(error instanceof AuthError) || !isRefusal(error)) throw error;
        if (!error.retryable || tries === REFRESH_TRIES) {
          this.spent = current;
          tellFailure(this.#options, 'refresh', error, this.durationMs);
          return undefined;
        }
        await this.#pauseForOthers(tries - 1, startedAt);
      }
    }
  }

  async #signIn(former: Credential | undefined): Promise<Held> {
    const ownMs = signInTimeoutOf(this.#options.strategy);
    const conflictsEndAt = this.#clock.now() + this.#options.timeoutMs; // however long a person may take
    if (ownMs !== undefined) this.#endWithin(ownMs);
    for (let tries = 0; ; tries++) {
      const startedAt = this.#clock.now();
      try {
        return await this.#tried('sign-in', (context) => this.#options.strategy.signIn(context, former));
      } catch (error) {
        // A 401 that can be tried again is a write conflict: the server contradicts itself until the others are done. Or it is about
        // a key that a service being deployed cannot check, which is over just as soon.
        const isConflict =
          error instanceof AuthError && error.httpStatus === 401 && error.retryable && !isRefusal(error);
        if (!isConflict || this.#clock.now() >= conflictsEndAt) throw error;
        this.#conflict = error;
        await this.#pauseForOthers(tries, startedAt);
      }
    }
  }

  /** Calls the strategy, again where that fails with what may pass, and publishes what it gives. */
  async #tried(operation: Operation, call: (context: AuthContext) => Promise<Credential> | undefined): Promise<Held> {
    let firstAt: number | undefined;
    for (let failures = 1; ; failures++) {
      try {
        const held = await this.#call(operation, call);
        return await this.#publish(operation, held);
      } catch (error) {
        const ms =
          error instanceof AuthError && failures < this.#tries && pauseBeforeRetry(error, failures, this.#clock);
        if (!ms) throw error;
        const now = this.#clock.now();
        firstAt ??= now;
        if (now + ms >= Math.min(this.#deadlineAt, firstAt + RETRY_WINDOW_MS)) throw error;
        this.#stumble();
        await this.#pause(ms);
      }
    }
  }

  /** One call of the strategy, bounded by its deadline even if the strategy ignores its signal. */
  async #call(operation: Operation, call: (context: AuthContext) => Promise<Credential> | undefined): Promise<Held> {
    this.operation = operation;
    const sentAt = moment(this.#clock);
    const { strategy, timeoutMs } = this.#options;
    const hasOwnLimit = operation === 'sign-in' && signInTimeoutOf(strategy) !== undefined;
    let signal = this.#signal;
    let cancel = () => {};
    if (timeoutMs > CALL_TIMEOUT_MS && !hasOwnLimit) {
      const patience = new AbortController();
      cancel = this.#clock.schedule(CALL_TIMEOUT_MS, () => patience.abort(deadlineError(CALL_TIMEOUT_MS)));
      signal = AbortSignal.any([signal, patience.signal]);
    }
    let credential: Credential | undefined;
    try {
      const start = async () => call(this.#options.context(signal));
      credential = asCredential(await obtainingFor(this, () => untilAborted(signal, start)));
    } catch (error) {
      throw signal.aborted ? signal.reason : toAuthError(error, operation, nameOf(strategy));
    } finally {
      cancel();
    }
    if (!credential) throw noCredential(nameOf(strategy), operation);
    const held = giveNotice(hold(credential, sentAt, this.#clock.random()), sentAt, strategy.isConfigured === true);
    return strategy.isReplaced && held.softAt === Infinity ? lookAgain(held, sentAt) : held;
  }

  async #publish(operation: Operation, held: Held): Promise<Held> {
    const { credential } = held;
    await this.#shared?.save(credential, this.#signal, () => this.#closed !== undefined);
    tellObtained(this.#options, operation, credential, this.durationMs);
    return held;
  }

  #adopt(credential: Credential): Held {
    tellObtained(this.#options, 'adoption', credential, this.durationMs);
    return hold(credential, moment(this.#clock), this.#clock.random(), true);
  }

  /** Lets others come to their end: for a random moment, longer where the server is slow. */
  #pauseForOthers(times: number, startedAt: number): Promise<void> {
    const took = this.#clock.now() - startedAt;
    const most = Math.max(doubled(CONFLICT_PAUSE, times), Math.min(SLOW_CONFLICT.times * took, SLOW_CONFLICT.mostMs));
    return this.#pause(most * (0.2 + 0.8 * this.#clock.random()));
  }

  #pause(ms: number): Promise<void> {
    return pause(this.#clock, ms, this.#signal);
  }

  /** Waits for something that goes on by itself, for as long as the flight may take. */
  #whileWaited(something: Promise<void>): Promise<void> {
    return untilAborted(this.#signal, () => something).catch(() => {});
  }
}

/** How long the strategy wants its sign-ins to take at most; undefined if it names no time. */
function signInTimeoutOf({ signInTimeoutMs }: StrategyObject): number | undefined {
  return typeof signInTimeoutMs === 'number' && signInTimeoutMs > 0 ? signInTimeoutMs : undefined;
}
