import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type {
  CredentialStore,
  LockOptions,
  SaveOptions,
  StoredCredential,
  StoreOptions,
  UnlockOptions,
} from '../contract/credential-store';
import { codeOf, Generations } from './generations';

/** What a lock's file holds. */
interface Holder {
  /** Nobody, after it was let go of. */
  readonly owner?: string;
  readonly host: string;
  readonly pid: number;
  /** On the clock of {@link machineTime}. */
  readonly until: number;
  readonly leaseMs: number;
}

/**
 * A folder with a folder for each key. A lock is kept like a text, in generations: to take it is to write the next one. It ends
 * with its holder's process at once, or with its lease.
 */
export class FileStore implements CredentialStore {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  load(key: string, _options: StoreOptions): Promise<StoredCredential | undefined> {
    return this.#texts(key).latest();
  }

  save(key: string, text: string, { generation }: SaveOptions): Promise<boolean> {
    return this.#texts(key).add(text, generation);
  }

  async lock(key: string, { owner, leaseMs }: LockOptions): Promise<boolean> {
    const locks = this.#locks(key);
    const last = await locks.latest();
    const holder = last && readHolder(last.text);
    if (holder && holder.owner !== owner && holds(holder)) return false;
    const next: Holder = { owner, host: hostname(), pid: process.pid, until: machineTime() + leaseMs, leaseMs };
    return locks.add(JSON.stringify(next), (last?.generation ?? 0) + 1);
  }

  async unlock(key: string, { owner }: UnlockOptions): Promise<void> {
    const locks = this.#locks(key);
    const last = await locks.latest();
    if (!last || readHolder(last.text)?.owner !== owner) return;
    await locks.add('{}', last.generation + 1);
  }

  #texts(key: string): Generations {
    return new Generations(this.#folder(key), 'session');
  }

  #locks(key: string): Generations {
    return new Generations(this.#folder(key), 'lock');
  }

  /** Whatever a key is made of, a file system takes this. */
  #folder(key: string): string {
    return join(this.#path, createHash('sha256').update(key).digest('hex').slice(0, 40));
  }
}

function readHolder(text: string): Holder | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A lock that has more left than its whole lease is of before the machine was started. */
function holds({ owner, host, pid, until, leaseMs }: Holder): boolean {
  const leftMs = until - machineTime();
  if (owner === undefined || !(leftMs > 0 && leftMs <= leaseMs)) return false;
  return host !== hostname() || isRunning(pid);
}

/** Milliseconds since the machine was started, alike in all its processes, whatever anybody does to the wall clock. */
function machineTime(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM'; // there is one, of another user
  }
}
