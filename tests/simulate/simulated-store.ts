import type { LockOptions, SaveOptions, StoredCredential, UnlockOptions } from '../../src';
import { MemoryStore } from '../support/memory-store';
import type { World } from './world';

/** One way to the store and back, in milliseconds. */
const ROUND_TRIP_MS = 1;

/** A store as many processes share it: each of its steps takes a round trip. */
export class SimulatedStore extends MemoryStore {
  readonly #world: World;

  constructor(world: World) {
    super();
    this.#world = world;
  }

  override async load(key: string): Promise<StoredCredential | undefined> {
    await this.#world.pause(ROUND_TRIP_MS);
    return super.load(key);
  }

  override async save(key: string, text: string, options: SaveOptions): Promise<boolean> {
    await this.#world.pause(ROUND_TRIP_MS);
    return super.save(key, text, options);
  }

  override async lock(key: string, options: LockOptions): Promise<boolean> {
    await this.#world.pause(ROUND_TRIP_MS);
    return super.lock(key, options);
  }

  override async unlock(key: string, options: UnlockOptions): Promise<void> {
    await this.#world.pause(ROUND_TRIP_MS);
    return super.unlock(key, options);
  }
}
