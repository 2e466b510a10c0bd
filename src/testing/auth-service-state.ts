import { clearTimeout, setTimeout } from './server-clock';

/**
 * What is the matter with the auth service.
 *
 * - `'deploying'`: it was told to end, has closed its database, and serves on until it is killed.
 * - `'stopped'`: nothing listens behind the gateway.
 * - `'frozen'`: its database takes requests and answers none.
 */
type Trouble = 'deploying' | 'stopped' | 'frozen';

/** Recorded: after so long without its database the service gives up, and answers as if it had none. */
const DATABASE_PATIENCE_MS = 30_000;

/** Recorded: so long the gateway waits to be told who is calling. Then it passes the call on as anonymous. */
const GATEWAY_PATIENCE_MS = 2_000;

/** Whether the auth service runs, and how its database answers. */
export class AuthServiceState {
  readonly #latencyMs: number;
  readonly #restarted: () => void;
  #trouble: { readonly kind: Trouble } | undefined;
  readonly #waiting = new Set<() => void>();

  /**
   * @param latencyMs milliseconds that an operation of the database takes
   * @param restarted called when another process has taken over, which knows nothing of what the former had in memory
   */
  constructor(latencyMs: number, restarted: () => void) {
    this.#latencyMs = latencyMs;
    this.#restarted = restarted;
  }

  /** Starts a trouble, in the place of the former if there is one. The returned function ends this one, and no other. */
  begin(kind: Trouble): () => void {
    const trouble = { kind };
    this.#change(trouble);
    return () => {
      if (this.#trouble === trouble) this.#change(undefined);
    };
  }

  #change(next: { readonly kind: Trouble } | undefined): void {
    const before = this.#trouble?.kind;
    this.#trouble = next;
    if (next === undefined && before !== 'frozen') this.#restarted();
    for (const goOn of this.#waiting) goOn();
  }

  get isStopped(): boolean {
    return this.#trouble?.kind === 'stopped';
  }

  /** Whether the gateway is told in time who is calling. That takes one operation of the database. */
  get isInTimeForTheGateway(): boolean {
    const kind = this.#trouble?.kind;
    return kind !== 'stopped' && kind !== 'frozen' && this.#latencyMs < GATEWAY_PATIENCE_MS;
  }

  /** Waits for as many operations of the database, one after another. False if it does not carry them out. */
  async reachDatabase(operations = 1): Promise<boolean> {
    await this.takeTime(operations);
    if (this.#trouble?.kind === 'frozen') await this.#thaw();
    return this.#trouble === undefined;
  }

  /** Waits as long as so many operations take. Nothing is awaited where they take no time: who comes first goes first. */
  takeTime(operations: number): Promise<void> | undefined {
    if (this.#latencyMs === 0) return undefined;
    return new Promise((resolve) => setTimeout(resolve, operations * this.#latencyMs).unref());
  }

  #thaw(): Promise<void> {
    return new Promise((resolve) => {
      const goOn = () => {
        clearTimeout(patience);
        this.#waiting.delete(goOn);
        resolve();
      };
      const patience = setTimeout(goOn, DATABASE_PATIENCE_MS).unref();
      this.#waiting.add(goOn);
    });
  }
}
