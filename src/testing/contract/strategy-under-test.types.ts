import type { AuthStrategy } from '../../contract/auth-strategy';

/** What the contract needs of the server that the strategy's credentials are for. A `QelosServer` has it. */
export interface AuthStrategyServer {
  /** Its origin. `GET /api/me` answers 200 to a good credential and 401 to any other. */
  readonly url: string;
  /** Every access token issued until now is refused. Only called for strategies that bring no `expire` of their own. */
  expireAccessTokens?(): void;
  close(): Promise<void>;
}

/** A strategy, and what a test can do to whoever is behind it. */
export interface StrategyUnderTest {
  /** Has all it needs. */
  readonly strategy: AuthStrategy;
  /** The same class with nothing set: `missing()` must say so. Leave it out if there is nothing to set. */
  readonly unconfigured?: AuthStrategy | undefined;
  /** What must never show up anywhere, each at least 8 characters long. The tokens of the credential are known anyway. */
  readonly secrets: readonly string[];
  /** From now on whoever is behind the strategy refuses to give a credential. */
  refuse(): void | Promise<void>;
  /** From now on whoever is behind the strategy does not answer. */
  hang(): void | Promise<void>;
  /** Ends the credential now, but not what it can be refreshed with. Default: the server's `expireAccessTokens()`. */
  expire?(): void | Promise<void>;
  /** Stops what `create` started. The server is closed by itself. */
  close?(): void | Promise<void>;
}

/** What nobody can do to some strategies: to one that reads a file, or makes its credential by itself. */
export type StrategyObstacle = 'refuse' | 'hang';

/** A strategy to which nobody can do the one or the other. */
export type StrategyUnderTestWithout<Without extends StrategyObstacle> = Omit<StrategyUnderTest, StrategyObstacle> &
  Pick<StrategyUnderTest, Exclude<StrategyObstacle, Without>>;
