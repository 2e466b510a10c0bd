import { CONTRACT } from './contract/contract';
import { NotRun, skip } from './contract/not-run';
import type {
  AuthStrategyServer,
  StrategyObstacle,
  StrategyUnderTestWithout,
} from './contract/strategy-under-test.types';
import { World } from './contract/world';
import { type QelosServer, startQelosServer } from './qelos-server';

/** What {@link describeAuthStrategy} is told. */
export interface AuthStrategySuite<
  S extends AuthStrategyServer = QelosServer,
  Without extends StrategyObstacle = never,
> {
  /** The runner's own. */
  readonly describe: (name: string, body: () => void) => unknown;
  /** The runner's own; `test` will do as well. Its `skip`, if it has one, is used for the cases that are left out. */
  readonly it: ((name: string, body: () => Promise<void>) => unknown) & {
    skip?: (name: string, body: () => Promise<void>) => unknown;
  };
  /** Makes the strategy and whoever is behind it, afresh for every case. */
  create(
    server: NoInfer<S>,
  ): StrategyUnderTestWithout<NoInfer<Without>> | Promise<StrategyUnderTestWithout<NoInfer<Without>>>;
  /** Starts the server that the credentials are for. Default: `startQelosServer`. */
  readonly server?: (() => Promise<S>) | undefined;
  /**
   * What nobody can do to this strategy, so that `create` need not say how, and the cases about it are skipped:
   * `['hang']` if it reads a file, `['refuse', 'hang']` if it makes its credential by itself. Default: `[]`.
   */
  readonly without?: readonly Without[] | undefined;
  /** Milliseconds that a sign-in may take while everybody answers. Default: 2,000. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Defines the tests that every strategy has to pass, with the test runner that is given: jest, vitest, node:test or any
 * other whose `describe` and `it` take a name and a function. Each case drives the strategy through the whole library,
 * against a real HTTP server; a failed one says what to change. One that does not apply, as there is no such method or nobody
 * to ask, is reported as skipped, by jest, vitest, node:test and mocha.
 *
 * ```ts
 * describeAuthStrategy('vault', {
 *   describe,
 *   it,
 *   async create(server) {
 *     const vault = await startVault(server.issueApiToken());
 *     return {
 *       strategy: new VaultStrategy({ url: vault.url, key: 'vault-key' }),
 *       unconfigured: new VaultStrategy({}),
 *       secrets: ['vault-key'],
 *       refuse: () => vault.answerWith(403),
 *       hang: () => vault.answerNothing(),
 *       close: () => vault.close(),
 *     };
 *   },
 * });
 * ```
 *
 * Once a case has failed, those that build on it are skipped: what is wrong is told once.
 *
 * @param name - what the strategy is called in the output of the tests
 */
export function describeAuthStrategy<
  S extends AuthStrategyServer = QelosServer,
  Without extends StrategyObstacle = never,
>(name: string, suite: AuthStrategySuite<S, Without>): void {
  const { describe, it, timeoutMs = 2_000 } = suite;
  const without: readonly StrategyObstacle[] = suite.without ?? [];
  // Without a `server`, S is what it is by default.
  const startServer = suite.server ?? (startQelosServer as () => Promise<AuthStrategyServer> as () => Promise<S>);
  const options = { startServer, create: (server: S) => suite.create(server), without, timeoutMs };
  const left = without.map((obstacle) => `${obstacle}()`).join(' or ');
  const failed = new Set<string>();
  describe(`the strategy "${name}"${left && ` (left out: what needs ${left})`}`, () => {
    for (const { title, after = [], needs = [], judge } of CONTRACT) {
      if (needs.some((obstacle) => without.includes(obstacle))) {
        it.skip?.(title, async () => {});
        continue;
      }
      // jest takes a function with a parameter for one that calls back; others give theirs anyway.
      it(title, async function (this: unknown, ...given: unknown[]): Promise<void> {
        failed.delete(title);
        const broken = after.find((earlier) => failed.has(earlier));
        if (broken !== undefined) failed.add(title);
        const notRun = broken === undefined ? await reasonAgainst(title, judge) : `It builds on "${broken}".`;
        if (notRun !== undefined) skip(title, notRun, [this, ...given]);
      });
    }
  });

  /** Why a case did not run; undefined if it passed. */
  async function reasonAgainst(title: string, judge: (typeof CONTRACT)[number]['judge']): Promise<string | undefined> {
    try {
      await judge((body) => World.within(options, body));
      return undefined;
    } catch (error) {
      if (error instanceof NotRun) return error.message;
      failed.add(title);
      throw error;
    }
  }
}
