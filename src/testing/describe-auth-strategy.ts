import { type QelosServer, startQelosServer } from './qelos-server';
import { CONTRACT } from './strategy-contract';
import type { AuthStrategyServer, OfflineStrategyUnderTest, StrategyUnderTest } from './strategy-under-test';
import { World } from './strategy-world';

interface SuiteOptions<S extends AuthStrategyServer> {
  /** The runner's own. */
  readonly describe: (name: string, body: () => void) => unknown;
  /** The runner's own; `test` will do as well. */
  readonly it: (name: string, body: () => Promise<void>) => unknown;
  /** Starts the server that the credentials are for. Default: `startQelosServer`. */
  readonly server?: () => Promise<S>;
  /** Milliseconds that a sign-in may take while everybody answers. Default: 2,000. */
  readonly timeoutMs?: number;
}

/** What {@link describeAuthStrategy} is told of a strategy. */
export interface AuthStrategySuite<S extends AuthStrategyServer = QelosServer> extends SuiteOptions<S> {
  readonly offline?: false;
  /** Makes the strategy and whoever is behind it, afresh for every case. */
  create(server: NoInfer<S>): StrategyUnderTest | Promise<StrategyUnderTest>;
}

/** The same of a strategy that asks nobody for its credential: what is about refusal and silence is left out. */
export interface OfflineAuthStrategySuite<S extends AuthStrategyServer = QelosServer> extends SuiteOptions<S> {
  readonly offline: true;
  /** Makes the strategy, afresh for every case. */
  create(server: NoInfer<S>): OfflineStrategyUnderTest | Promise<OfflineStrategyUnderTest>;
}

/**
 * Defines the tests that every strategy has to pass, with the test runner that is given: jest, vitest, node:test or any
 * other whose `describe` and `it` take a name and a function. Each case drives the strategy through the whole library,
 * against a real HTTP server; a failed one says what to change.
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
 * Once a case has failed, those that build on it say nothing more: what is wrong is told once.
 *
 * @param name - what the strategy is called in the output of the tests
 */
export function describeAuthStrategy<S extends AuthStrategyServer = QelosServer>(
  name: string,
  suite: OfflineAuthStrategySuite<S>,
): void;
// Last, as it is the last one of which the compiler says what is wrong.
export function describeAuthStrategy<S extends AuthStrategyServer = QelosServer>(
  name: string,
  suite: AuthStrategySuite<S>,
): void;
export function describeAuthStrategy<S extends AuthStrategyServer>(
  name: string,
  suite: AuthStrategySuite<S> | OfflineAuthStrategySuite<S>,
): void {
  const { describe, it, offline = false, timeoutMs = 2_000, create } = suite;
  // Without a `server`, S is what it is by default.
  const startServer = suite.server ?? (startQelosServer as () => Promise<AuthStrategyServer> as () => Promise<S>);
  const failed = new Set<string>();
  describe(`the strategy "${name}"${offline ? ' (offline: nobody can refuse it or keep it waiting)' : ''}`, () => {
    for (const { title, after = [], online = false, judge } of CONTRACT) {
      if (online && offline) continue;
      it(title, async () => {
        failed.delete(title);
        try {
          if (after.some((earlier) => failed.has(earlier))) failed.add(title);
          else await judge((body) => World.within({ startServer, create, offline, timeoutMs }, body));
        } catch (error) {
          failed.add(title);
          throw error;
        }
      });
    }
  });
}
