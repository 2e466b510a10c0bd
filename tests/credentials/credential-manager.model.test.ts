import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AuthError } from '../../src/contract/auth-error';
import type { AuthContext, AuthStrategy } from '../../src/contract/auth-strategy';
import { Credential } from '../../src/contract/credential';
import { CredentialManager } from '../../src/credentials/credential-manager';
import { causedBy } from '../../src/credentials/obtain-errors';
import { EventHub } from '../../src/events';
import { contextFor } from '../strategies/obtaining';
import { webTokenFor } from './json-web-token';
import { SetClock, settled } from './set-clock';

/*
 * The manager against a second telling of its rules (`Model`), over any order of calls, refusals, answers and leaps of the
 * clock. What the rules promise at all times is checked apart from the model, by the server and at the end of each run.
 */

const RUNS = 10_000;
const DEADLINE = 20_000;

type Operation = 'sign-in' | 'refresh';
type Outcome =
  | { kind: 'ok'; life: number | undefined }
  | { kind: 'spurious' | 'refused' | 'doubted' | 'fault' | 'reset' }
  | { kind: 'outage' | 'hiccup'; retryAfterMs: number | undefined };

/** What says nothing of the refresh token. */
const isOutage = ({ kind }: Outcome) => kind === 'outage' || kind === 'hiccup' || kind === 'reset';

/** A server that answers when it is told to. It notices what must never happen. */
class Server implements AuthStrategy {
  readonly name = 'model';
  readonly broken: string[] = [];
  readonly count = { 'sign-in': 0, refresh: 0 };
  /** Refreshes that were refused, and sign-ins that failed: what a further sign-in may have as its reason. */
  excuses = 0;
  pending: { operation: Operation; settle: (outcome: Credential | unknown) => void } | undefined;
  #newest: Credential | undefined;

  missing(): readonly string[] {
    return [];
  }

  signIn({ signal }: AuthContext): Promise<Credential> {
    return this.#start('sign-in', signal);
  }

  refresh(current: Credential, { signal }: AuthContext): Promise<Credential> {
    if (current !== this.#newest) this.broken.push('a refresh token was sent whose successor is known');
    return this.#start('refresh', signal);
  }

  answer(outcome: Outcome): Credential | undefined {
    const { operation, settle } = this.pending as NonNullable<typeof this.pending>;
    this.pending = undefined;
    if (outcome.kind === 'ok') {
      this.#newest = make(outcome.life);
      settle(this.#newest);
      return this.#newest;
    }
    if (operation === 'sign-in' || !isOutage(outcome)) this.excuses++;
    settle(errorOf(operation, outcome));
    return undefined;
  }

  #start(operation: Operation, signal: AbortSignal): Promise<Credential> {
    if (this.pending) this.broken.push(`a ${operation} began while a ${this.pending.operation} was under way`);
    this.count[operation]++;
    return new Promise((resolve, reject) => {
      const settle = (outcome: unknown) => (outcome instanceof Credential ? resolve(outcome) : reject(outcome));
      const pending = { operation, settle };
      this.pending = pending;
      // It ignores its signal, as a careless strategy does; but what it answers from then on is nobody's.
      signal.addEventListener('abort', () => {
        if (this.pending !== pending) return;
        this.pending = undefined;
        if (operation === 'sign-in') this.excuses++;
      });
    });
  }
}

function make(life: number | undefined): Credential {
  const refreshToken = webTokenFor(1_000_000);
  return Credential.bearer(life === undefined ? `opaque-${refreshToken}` : webTokenFor(life / 1_000 + 1), {
    refreshToken,
  });
}

function errorOf(operation: Operation, outcome: Outcome): unknown {
  const hint = 'none';
  switch (outcome.kind) {
    case 'outage':
      return new AuthError('ERR_AUTH_UNAVAILABLE', 'down', { hint, retryable: true, ...outcome });
    case 'hiccup':
      return new AuthError('ERR_AUTH_UNAVAILABLE', 'down', { hint, retryable: true, httpStatus: 503, ...outcome });
    case 'reset':
      return causedBy('ECONNRESET', new AuthError('ERR_AUTH_UNAVAILABLE', 'down', { hint, retryable: true }));
    case 'doubted':
      return new AuthError('ERR_AUTH_REFUSED', 'not now', { hint, httpStatus: 401, retryable: true });
    case 'refused':
      return new AuthError('ERR_AUTH_REFUSED', 'no', { hint, httpStatus: 401 });
    case 'spurious': {
      const code = operation === 'refresh' ? 'ERR_AUTH_REFUSED' : 'ERR_AUTH_UNAVAILABLE';
      return new AuthError(code, 'not now', { hint, httpStatus: 401, retryable: true });
    }
    default:
      return 'a fault of the strategy';
  }
}

/** One caller, and what has become of it. */
interface Caller {
  readonly saysRejected: boolean;
  /** Whether it has the current credential to go on with as soon as a try has failed, and not only once the flight has. */
  isImpatient?: boolean;
  expected: Credential | string | undefined;
  actual: Credential | string | undefined;
}

interface Current {
  readonly credential: Credential;
  readonly soft: number;
  readonly hard: number;
  readonly end: number;
  readonly mayEnd: number;
}

interface Underway {
  operation: Operation;
  /** When its first try since an answer began, and when the one that counts did. */
  startedAt: number;
  sentAt: number;
  /** How often the server contradicted itself, and how many tries in a row have failed that may pass. */
  refusals: number;
  failures: number;
  firstFailureAt: number | undefined;
  readonly deadline: number;
  readonly mostFailures: number;
  pausedUntil?: number | undefined;
  isRejected: boolean;
  hasStumbled: boolean;
  hasConflict: boolean;
}

const WAITS = {
  refusal: [30_000, 300_000],
  doubted: [1_000, 4_000],
  unreachable: [1_000, 4_000],
  outage: [1_000, 60_000],
} as const;

/** The rules once more, as plainly as can be. */
class Model {
  now = 1_000;
  current: Current | undefined;
  readonly former: Credential[] = [];
  flight: Underway | undefined;
  rest: { until: number; base: number; since: number; kind: keyof typeof WAITS; code: string } | undefined;
  spent: Credential | undefined;
  useless = { until: 0, streak: 0 };
  uncured: { last: Credential | undefined; count: number } = { last: undefined, count: 0 };
  waiting: Caller[] = [];
  readonly count = { 'sign-in': 0, refresh: 0 };

  constructor(readonly chance: number) {}

  call(caller: Caller, rejected?: Credential): void {
    const { current, now } = this;
    if (!current) this.fly(caller);
    else if (rejected === current.credential) {
      const useless = now < this.useless.until && (now < current.mayEnd || this.uncured.count >= 5);
      if (useless) caller.expected = current.credential;
      else this.fly(caller, true);
    } else if (this.flight?.isRejected) {
      this.fly(caller);
    } else if (now < current.hard) {
      caller.expected = current.credential;
      if (now >= current.soft && !this.isResting()) this.fly();
    } else {
      caller.isImpatient = true;
      this.fly(caller);
    }
  }

  fly(caller?: Caller, isRejected = false): void {
    if (!this.flight && this.rest && this.isResting()) {
      if (caller) caller.expected = this.failed(caller, this.rest.code);
      return;
    }
    if (!this.flight) this.depart();
    if (isRejected && this.flight) this.flight.isRejected = true;
    if (!caller) return;
    this.waiting.push(caller);
    if (this.flight?.hasStumbled) this.serveTheImpatient();
  }

  depart(): void {
    this.flight = {
      operation: this.current && this.current.credential !== this.spent ? 'refresh' : 'sign-in',
      startedAt: this.now,
      sentAt: this.now,
      refusals: 0,
      failures: 0,
      firstFailureAt: undefined,
      deadline: this.now + DEADLINE,
      mostFailures: this.rest?.kind === 'outage' ? 1 : 6,
      isRejected: false,
      hasStumbled: false,
      hasConflict: false,
    };
    this.count[this.flight.operation]++;
  }

  answer(outcome: Outcome, credential: Credential | undefined): void {
    const flight = this.flight as Underway;
    const isRefresh = flight.operation === 'refresh';
    const isRefused = outcome.kind === 'spurious' || (outcome.kind === 'doubted' && isRefresh);
    if (outcome.kind === 'ok') {
      this.obtained(credential as Credential, flight.sentAt, outcome.life);
    } else if (isRefused && !(isRefresh && flight.refusals === 2)) {
      const most = Math.max(
        Math.min(250 * 2 ** flight.refusals, 2_000),
        Math.min(2 * (this.now - flight.startedAt), 8_000),
      );
      flight.refusals++;
      flight.hasConflict ||= !isRefresh;
      flight.failures = 0;
      flight.firstFailureAt = undefined;
      this.pause(most * (0.2 + 0.8 * this.chance));
    } else if (isRefresh && (isRefused || outcome.kind === 'refused')) {
      this.spent = this.current?.credential;
      Object.assign(flight, { operation: 'sign-in', refusals: 0, failures: 0, firstFailureAt: undefined });
      this.send(true);
    } else if (outcome.kind === 'hiccup' || outcome.kind === 'reset') {
      const retryAfterMs = outcome.kind === 'hiccup' ? (outcome.retryAfterMs ?? 0) : 0;
      flight.failures++;
      flight.firstFailureAt ??= this.now;
      const ms = Math.max(Math.min(250 * 2 ** (flight.failures - 1), 4_000) * (0.5 + this.chance / 2), retryAfterMs);
      const isInTime = this.now + ms < Math.min(flight.deadline, flight.firstFailureAt + 10_000);
      if (flight.failures < flight.mostFailures && retryAfterMs <= 5_000 && isInTime) {
        this.pause(ms);
        flight.hasStumbled = true;
        this.serveTheImpatient();
      } else {
        this.landed('ERR_AUTH_UNAVAILABLE', outcome.kind === 'reset' ? 'unreachable' : 'outage', retryAfterMs);
      }
    } else if (outcome.kind === 'outage') {
      this.landed('ERR_AUTH_UNAVAILABLE', 'outage', outcome.retryAfterMs);
    } else if (outcome.kind === 'doubted' && this.current) {
      this.landed('ERR_AUTH_REFUSED', 'doubted');
    } else {
      this.landed(outcome.kind === 'fault' ? 'ERR_AUTH_BAD_RESPONSE' : 'ERR_AUTH_REFUSED', 'refusal');
    }
  }

  pause(ms: number): void {
    (this.flight as Underway).pausedUntil = this.now + ms;
  }

  send(isAnswered: boolean): void {
    const flight = this.flight as Underway;
    flight.pausedUntil = undefined;
    flight.sentAt = this.now;
    if (isAnswered) flight.startedAt = this.now;
    this.count[flight.operation]++;
  }

  serveTheImpatient(): void {
    const { current, now } = this;
    if (!current || now >= current.end) return;
    for (const caller of this.waiting) if (caller.isImpatient) caller.expected = current.credential;
    this.waiting = this.waiting.filter(({ expected }) => expected === undefined);
  }

  obtained(credential: Credential, sentAt: number, life: number | undefined): void {
    if (this.current) this.former.push(this.current.credential);
    const mayEnd = life === undefined ? Number.POSITIVE_INFINITY : sentAt + life;
    if (life) {
      const hard = mayEnd - Math.min(life * 0.05, 10_000);
      const earliest = mayEnd - Math.min(life * 0.2, 300_000);
      this.current = { credential, soft: earliest + (hard - earliest) * this.chance, hard, end: mayEnd, mayEnd };
    } else {
      this.current = { credential, soft: Infinity, hard: Infinity, end: Infinity, mayEnd };
    }
    this.rest = undefined;
    this.spent = undefined;
    this.flight = undefined;
    for (const caller of this.waiting.splice(0)) caller.expected = credential;
  }

  /** The flight has failed. */
  landed(code: string, kind: keyof typeof WAITS, retryAfterMs = 0): void {
    const last = this.rest?.kind === kind ? this.rest : undefined;
    const since = last?.since ?? this.now;
    const [first, most] = WAITS[kind];
    const isLate = kind === 'doubted' && this.now - since >= 60_000;
    const base = Math.min(last ? last.base * 2 : first, isLate ? 30_000 : most);
    const pause = kind === 'refusal' ? base : Math.max(base * (0.5 + this.chance / 2), retryAfterMs);
    this.rest = { until: this.now + pause, base, since, kind, code };
    this.flight = undefined;
    for (const caller of this.waiting.splice(0)) caller.expected = this.failed(caller, code);
  }

  /** The current credential serves on while it lives, but not whoever says that it was refused. */
  failed(caller: Caller, code: string): Credential | string {
    return !caller.saysRejected && this.current && this.now < this.current.end ? this.current.credential : code;
  }

  replayed(cured: boolean): void {
    const { credential, mayEnd } = this.current as Current;
    if (cured) {
      this.useless = { until: 0, streak: 0 };
      this.uncured = { last: undefined, count: 0 };
      return;
    }
    if (this.uncured.last !== credential) this.uncured = { last: credential, count: this.uncured.count + 1 };
    if (this.now >= mayEnd && this.uncured.count < 5) return;
    if (this.now < this.useless.until) return;
    const { streak } = this.useless;
    this.useless = { until: this.now + Math.min(30_000 * 2 ** streak, 300_000), streak: streak + 1 };
  }

  advance(ms: number): void {
    const end = this.now + ms;
    while (this.flight) {
      const { deadline, pausedUntil = Number.POSITIVE_INFINITY, hasConflict, failures } = this.flight;
      const next = Math.min(deadline, pausedUntil);
      if (next > end) break;
      this.now = next;
      if (deadline <= pausedUntil) this.landed('ERR_AUTH_UNAVAILABLE', hasConflict ? 'outage' : 'unreachable');
      else this.send(failures === 0);
    }
    this.now = end;
  }

  isResting(): boolean {
    return this.rest !== undefined && this.now < this.rest.until;
  }
}

/** The real thing. */
class Rig {
  readonly clock = new SetClock();
  readonly server = new Server();
  readonly callers: Caller[] = [];
  readonly manager: CredentialManager;

  constructor(chance: number) {
    this.clock.chance = chance;
    this.manager = new CredentialManager({
      strategy: this.server,
      events: new EventHub('test'),
      context: (signal) => contextFor('http://127.0.0.1:1', signal),
      timeoutMs: DEADLINE,
      clock: this.clock,
    });
  }

  call(saysRejected: boolean, rejected?: Credential): Caller {
    const caller: Caller = { saysRejected, expected: undefined, actual: undefined };
    this.callers.push(caller);
    const got = this.manager.get(rejected);
    if (got instanceof Credential) caller.actual = got;
    else {
      got.then(
        (credential) => (caller.actual = credential),
        (error) => (caller.actual = error.code ?? 'no code'),
      );
    }
    return caller;
  }
}

async function compare(model: Model, { server, clock, callers }: Rig): Promise<void> {
  await settled();
  if (server.broken.length > 0) throw new Error(server.broken.join('; '));
  const paused = model.flight?.pausedUntil !== undefined;
  expect({
    pending: server.pending?.operation,
    timers: clock.waiting,
    count: { ...server.count },
  }).toEqual({
    pending: paused ? undefined : model.flight?.operation,
    timers: model.flight ? (paused ? 2 : 1) : 0,
    count: model.count,
  });
  // A sign-in has a reason: there is no credential yet, a refresh was refused, or the last sign-in failed.
  if (server.count['sign-in'] > 1 + server.excuses) throw new Error('a sign-in without a reason');
  for (const caller of callers) {
    if (caller.actual !== caller.expected) {
      throw new Error(`a caller got ${show(caller.actual)} and not ${show(caller.expected)}`);
    }
  }
  // Who is served is served for good.
  for (let i = callers.length - 1; i >= 0; i--) if (callers[i]?.actual !== undefined) callers.splice(i, 1);
}

const show = (outcome: Credential | string | undefined) =>
  outcome instanceof Credential ? `a credential (${outcome.obtainedAt.getTime()})` : (outcome ?? 'nothing yet');

type Command = fc.AsyncCommand<Model, Rig>;

function command(name: string, check: (model: Model) => boolean, act: (model: Model, rig: Rig) => unknown): Command {
  return {
    check,
    async run(model, rig) {
      await act(model, rig);
      await compare(model, rig);
    },
    toString: () => name,
  };
}

const call = command(
  'call',
  () => true,
  (model, rig) => {
    const { current, now, flight } = model;
    const isRefused = flight?.isRejected === true;
    const caller = rig.call(false);
    model.call(caller);
    // No call waits or fails while there is a credential that is good for longer, as far as anybody knows.
    if (current && !isRefused && now < current.hard && caller.actual !== current.credential) {
      throw new Error('a call was not served by the credential that is good');
    }
  },
);

const rejected = command(
  'call with the current one rejected',
  ({ current }) => current !== undefined,
  (model, rig) => model.call(rig.call(true, model.current?.credential), model.current?.credential),
);

const late = (which: number) =>
  command(
    `late 401 ${which}`,
    ({ former }) => former.length > 0,
    (model, rig) => {
      const credential = model.former[which % model.former.length];
      model.call(rig.call(false, credential), credential);
    },
  );

const replayed = (cured: boolean) =>
  command(
    `replayed ${cured ? 'with success' : 'in vain'}`,
    ({ current }) => current !== undefined,
    (model, { manager }) => {
      manager.replayed(model.current?.credential as Credential, cured);
      model.replayed(cured);
    },
  );

const answer = (outcome: Outcome) =>
  command(
    `answer ${JSON.stringify(outcome)}`,
    ({ flight }) => flight !== undefined && flight.pausedUntil === undefined,
    (model, { server }) => model.answer(outcome, server.answer(outcome)),
  );

async function advance(model: Model, { clock }: Rig, ms: number): Promise<void> {
  await clock.advance(ms);
  model.advance(ms);
}

const pass = (ms: number) =>
  command(
    `${ms} ms pass`,
    () => true,
    (model, rig) => advance(model, rig, ms),
  );

const MOMENTS: Record<string, (model: Model) => number | undefined> = {
  soft: ({ current }) => current?.soft,
  hard: ({ current }) => current?.hard,
  end: ({ current }) => current?.mayEnd,
  rest: ({ rest }) => rest?.until,
  useless: ({ useless }) => useless.until,
  deadline: ({ flight }) => flight?.deadline,
  pause: ({ flight }) => flight?.pausedUntil,
};

const passUntil = (moment: string, offset: number) => {
  const left = (model: Model) => (MOMENTS[moment]?.(model) ?? Number.NaN) - model.now + offset;
  return command(
    `until ${moment} ${offset} ms`,
    (model) => left(model) > 0 && Number.isFinite(left(model)),
    (model, rig) => advance(model, rig, left(model)),
  );
};

const outcomes: fc.Arbitrary<Outcome> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('ok' as const),
      life: fc.constantFrom(undefined, 0, 1_000, 60_000, 3_600_000),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'spurious' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'refused' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'doubted' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'reset' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'fault' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('outage' as const, 'hiccup' as const),
      retryAfterMs: fc.constantFrom(undefined, 100, 3_000, 7_000, 300_000),
    }),
  },
);

const commands = fc.commands(
  [
    fc.constant(call),
    fc.constant(rejected),
    fc.nat(20).map(late),
    fc.boolean().map(replayed),
    outcomes.map(answer),
    outcomes.map(answer),
    fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 4_000_000 })).map(pass),
    fc
      .tuple(fc.constantFrom(...Object.keys(MOMENTS)), fc.constantFrom(-1, 0, 1))
      .map(([moment, offset]) => passUntil(moment, offset)),
  ],
  { maxCommands: 40, size: 'max' },
);

describe('the credential manager, whatever happens in whatever order', () => {
  it('F20 F21 F22 F23 F24 F26 F28 F29 F56 W02 W06 W07 does what its rules say, with one flight at a time, and leaves nothing running', async () => {
    await fc.assert(
      fc.asyncProperty(commands, fc.constantFrom(0, 0.25, 0.5, 0.875), async (sequence, chance) => {
        const model = new Model(chance);
        const rig = new Rig(chance);
        await fc.asyncModelRun(() => ({ model, real: rig }), sequence);

        rig.manager.close();
        await settled();
        expect(rig.clock.waiting).toBe(0);
        expect(rig.server.pending).toBeUndefined();
        for (const { actual } of rig.callers) expect(actual).toBe('ERR_AUTH_CLOSED');
      }),
      { numRuns: RUNS },
    );
  }, 120_000);
});
