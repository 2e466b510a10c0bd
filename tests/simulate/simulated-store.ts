import type { CredentialStore } from '../../src';
import type { World } from './world';

/** One way to the store and back. */
const ROUND_TRIP_MS = 1;

/** A store as many processes share it: with a lock that one of them holds at a time. */
export class SimulatedStore implements CredentialStore {
  readonly #world: World;
  readonly #texts = new Map<string, string>();
  readonly #waiting: (() => void)[] = [];
  #isLocked = false;

  constructor(world: World) {
    this.#world = world;
  }

  async load(key: string): Promise<string | undefined> {
    await this.#world.pause(ROUND_TRIP_MS);
    return this.#texts.get(key);
  }

  async save(key: string, text: string): Promise<void> {
    await this.#world.pause(ROUND_TRIP_MS);
    this.#texts.set(key, text);
  }

  /** Whoever waits gets it in the order of asking; who has given up meanwhile passes it on. */
  async lock(_key: string, { signal }: { signal: AbortSignal }): Promise<() => Promise<void>> {
    await this.#world.pause(ROUND_TRIP_MS);
    if (this.#isLocked) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#isLocked = true;
    const release = async () => {
      await this.#world.pause(ROUND_TRIP_MS);
      const next = this.#waiting.shift();
      if (next) next();
      else this.#isLocked = false;
    };
    if (signal.aborted) await release();
    return release;
  }
}
