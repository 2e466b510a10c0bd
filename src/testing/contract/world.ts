import { Agent } from 'node:http';
import { clearTimeout, setTimeout } from 'node:timers';
import { isAuthError, kindOf } from '../../contract/auth-error';
import { Credential, headersOf } from '../../contract/credential';
import { createQelosAuth } from '../../create-qelos-auth';
import type { QelosAuth } from '../../qelos-auth';
import { Detour } from './detour';
import { Impostor, type Imposture } from './impostor';
import { type StrategyCall, StrategyObserver } from './observed-strategy';
import { Prints } from './prints';
import type {
  AuthStrategyServer,
  StrategyObstacle,
  StrategyUnderTest,
  StrategyUnderTestWithout,
} from './strategy-under-test.types';

/** Shorter ones are found by chance. */
export const SHORTEST_SECRET = 8;

/** How a world is made, for one case. */
export interface WorldOptions<S extends AuthStrategyServer> {
  startServer(): Promise<S>;
  create(server: S): Made | Promise<Made>;
  readonly without: readonly StrategyObstacle[];
  /** Milliseconds that a sign-in may take while everybody answers. */
  readonly timeoutMs: number;
}

type Made = StrategyUnderTestWithout<StrategyObstacle>;

/** Makes a fresh world, and ends it when the body is done. */
export type Within = <T>(body: (world: World) => Promise<T>) => Promise<T>;

/** What came of a call of the API: the status answered, or why there was none. */
export type Outcome = { readonly status: number } | { readonly error: unknown };

/** After its signal has aborted, a strategy ends within so many milliseconds. It takes a few; a busy machine, more. */
const GRACE_MS = 1_000;

/** A server, a strategy and whoever is behind it, and the library over them; all of it for one case, and gone after it. */
export class World {
  readonly subject: StrategyUnderTest;
  readonly #without: readonly StrategyObstacle[];
  readonly observer = new StrategyObserver();
  /** What was printed since before the strategy was made. */
  readonly prints: Prints;
  readonly #detour = new Detour(() => this.observer.isInCall);
  #impostor: Impostor | undefined;
  readonly #server: AuthStrategyServer;
  readonly #timeoutMs: number;
  /** Half of the time for obtaining a credential, in milliseconds: a flight tries again in it what may pass. */
  get halfTimeMs(): number {
    return this.#timeoutMs / 2;
  }

  readonly #opened: QelosAuth[] = [];

  private constructor(
    server: AuthStrategyServer,
    subject: StrategyUnderTest,
    prints: Prints,
    { without, timeoutMs }: Pick<WorldOptions<AuthStrategyServer>, 'without' | 'timeoutMs'>,
  ) {
    this.#server = server;
    this.subject = subject;
    this.prints = prints;
    this.#without = without;
    this.#timeoutMs = timeoutMs;
  }

  static async within<S extends AuthStrategyServer, T>(
    options: WorldOptions<S>,
    body: (world: World) => Promise<T>,
  ): Promise<T> {
    const server = await options.startServer();
    const prints = new Prints();
    try {
      const subject = await created(options, server);
      const world = new World(server, subject, prints, options);
      try {
        return await body(world);
      } finally {
        await world.#close();
      }
    } finally {
      prints.close();
      await server.close();
    }
  }

  /**
   * The library over the strategy: an account that has not signed in yet.
   *
   * @throws AuthError why the library does not take the strategy
   */
  open({ strategy = this.subject.strategy, timeoutMs = this.#timeoutMs } = {}): QelosAuth {
    const auth = createQelosAuth({
      config: { url: this.#server.url, strategy: strategy.name, timeoutMs },
      env: {},
      strategies: [this.observer.watch(strategy)],
      axios: {
        // For an API that is silent too; more than any sign-in may take.
        timeout: 2 * timeoutMs,
        // A connection that the API had first would lead past the impostor.
        httpAgent: new Agent({ keepAlive: false }),
      },
    });
    this.#opened.push(auth);
    return auth;
  }

  /** Whether somebody can do this to the strategy. */
  can(obstacle: StrategyObstacle): boolean {
    return !this.#without.includes(obstacle);
  }

  /** Ends the current credential. */
  async expire(): Promise<void> {
    if (this.subject.expire) await this.subject.expire();
    else this.#server.expireAccessTokens?.();
  }

  /** From now on an impostor answers in the place of whoever the strategy asks. */
  async impersonate(imposture: Imposture): Promise<Impostor> {
    this.#impostor = await Impostor.start(imposture);
    await this.#detour.lead(this.#impostor.port);
    return this.#impostor;
  }

  /** The last call of an operation. */
  last(operation: StrategyCall['operation']): StrategyCall | undefined {
    return this.observer.of(operation).at(-1);
  }

  /** Waits for a call that has to end, but not for ever. Returns whether it did. */
  async hasEnded(call: StrategyCall): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), GRACE_MS);
    });
    const ended = await Promise.race([call.settled.then(() => true), tooLate]);
    clearTimeout(timer);
    return ended;
  }

  /** What must not show up: what the author named, and every token that was obtained. */
  get secrets(): string[] {
    const tokens = this.observer.calls.flatMap(({ outcome }) => {
      const value = outcome && 'value' in outcome ? outcome.value : undefined;
      return value instanceof Credential ? tokensOf(value) : [];
    });
    return [...new Set([...this.subject.secrets, ...tokens])].filter((secret) => secret !== '');
  }

  /** Those that can't be found by chance. */
  get knownSecrets(): string[] {
    return this.secrets.filter((secret) => secret.length >= SHORTEST_SECRET);
  }

  /**
   * What the author has to change, without a secret in it.
   *
   * @param thrown - what came up instead, whose stack frames say where
   */
  fault(message: string, thrown?: unknown): Error {
    const fault = new Error(this.#redact(message));
    const frames =
      thrown instanceof Error ? (thrown.stack ?? '').split('\n').filter((line) => /^ +at /.test(line)) : [];
    if (frames.length > 0) fault.stack = [String(fault), ...frames.map((line) => this.#redact(line))].join('\n');
    return fault;
  }

  #redact(text: string): string {
    let result = text;
    for (const secret of this.secrets) result = result.replaceAll(secret, '[hidden]');
    return result;
  }

  async #close(): Promise<void> {
    this.observer.close();
    this.#detour.close();
    for (const auth of this.#opened) await auth.close();
    await this.#impostor?.close();
    await this.subject.close?.();
  }
}

async function created<S extends AuthStrategyServer>(
  { create, without }: WorldOptions<S>,
  server: S,
): Promise<StrategyUnderTest> {
  let made: Made;
  try {
    made = await create(server);
  } catch (error) {
    throw new Error(
      `create() threw ${kindOf(error)}. If it was the strategy's constructor: a constructor must not throw; let missing() name the setting instead.`,
      { cause: error },
    );
  }
  for (const obstacle of ['refuse', 'hang'] as const) {
    if (!(made as Partial<StrategyUnderTest>)[obstacle] && !without.includes(obstacle))
      throw new Error(
        `create() gives no ${obstacle}(). Give one, or say without: ['${obstacle}'] if nobody can do that to the strategy.`,
      );
  }
  // What is left out, no case asks for.
  return made as StrategyUnderTest;
}

/** One call of the API. */
export function request(auth: QelosAuth): Promise<Outcome> {
  return auth.http.get('/api/me', { validateStatus: null }).then(
    ({ status }) => ({ status }),
    (error: unknown) => ({ error }),
  );
}

/** Many calls at once. */
export function storm(auth: QelosAuth): Promise<Outcome[]> {
  return Promise.all(Array.from({ length: 50 }, () => request(auth)));
}

export function isGood(outcome: Outcome): boolean {
  return 'status' in outcome && outcome.status < 300;
}

/** What a call of the API, or of a strategy, came to, in words. */
export function inWords(outcome: Outcome | NonNullable<StrategyCall['outcome']>): string {
  if ('status' in outcome) return `HTTP status ${outcome.status}`;
  if ('value' in outcome) return kindInWords(outcome.value);
  const { error } = outcome;
  if (!(error instanceof Error)) return kindInWords(error);
  return isAuthError(error) ? `${error.code}: ${error.message}` : `${kindOf(error)}: ${error.message}`;
}

function kindInWords(value: unknown): string {
  if (value === undefined || value === null || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (value instanceof Promise) return 'a Promise';
  return value instanceof Credential ? 'a Credential' : `an object that is no Credential (${value.constructor?.name})`;
}

/** The tokens of a credential: what the server takes for proof, as far as it is known by its header's name. */
function tokensOf(credential: Credential): string[] {
  const headers = headersOf(credential);
  const proofs = ['authorization', 'x-api-key', 'cookie'].map((name) => headers[name]?.replace(/^\w+ (?=\S)/, ''));
  return [...proofs, credential.refreshToken].filter((token) => token !== undefined);
}
