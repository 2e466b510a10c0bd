import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoredCredential } from '../contract/credential-store';

/** Nobody takes longer to write a file of a few kilobytes: an older draft was left behind by a process that ended. */
const DRAFT_MS = 60_000;
/** How often a file may go, as a newer one has come, between the look for its name and the reading. */
const READS = 10;

/**
 * A text that is replaced as a whole, in files `<name>.<generation>` of which the greatest counts. To make a file under a name that
 * must not exist yet is the one atomic step that all file systems have: of two processes that write the same generation one
 * succeeds, and it makes no difference where a process stands still or ends.
 */
export class Generations {
  readonly #folder: string;
  readonly #name: string;

  /** @param folder - made when it is needed, for its owner alone */
  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
  }

  async latest(): Promise<StoredCredential | undefined> {
    for (let reads = 0; reads < READS; reads++) {
      const generation = (await this.#generations()).at(-1);
      if (generation === undefined) return undefined;
      try {
        return { text: await readFile(this.#file(generation), 'utf8'), generation };
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
      }
    }
    return undefined;
  }

  /** @returns whether it was written: not if there is one of this generation, or a later one */
  async add(text: string, generation: number): Promise<boolean> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    if (await this.#isLate(generation)) return false;
    const draft = join(this.#folder, `${this.#name}.${randomUUID()}.draft`);
    try {
      await write(draft, text);
      await link(draft, this.#file(generation));
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(draft, { force: true });
    }
    if (await this.#isLate(generation)) {
      await rm(this.#file(generation), { force: true });
      return false;
    }
    await this.#clear(generation);
    return true;
  }

  async #isLate(generation: number): Promise<boolean> {
    return ((await this.#generations()).at(-1) ?? 0) > generation;
  }

  /** In ascending order. */
  async #generations(): Promise<number[]> {
    const start = `${this.#name}.`;
    return (await this.#files())
      .filter((file) => file.startsWith(start) && /^\d{1,16}$/.test(file.slice(start.length)))
      .map((file) => Number(file.slice(start.length)))
      .sort((a, b) => a - b);
  }

  async #files(): Promise<string[]> {
    try {
      return await readdir(this.#folder);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** Takes away what came before, and what was never finished. */
  async #clear(generation: number): Promise<void> {
    for (const older of await this.#generations()) {
      if (older < generation) await rm(this.#file(older), { force: true });
    }
    const drafts = (await this.#files()).filter((file) => file.startsWith(this.#name) && file.endsWith('.draft'));
    for (const draft of drafts) {
      const file = join(this.#folder, draft);
      const written = await stat(file).catch(() => undefined);
      if (written && Date.now() - written.mtimeMs > DRAFT_MS) await rm(file, { force: true });
    }
  }

  #file(generation: number): string {
    return join(this.#folder, `${this.#name}.${generation}`);
  }
}

/** For the owner alone, and on the disk before it counts. */
async function write(file: string, text: string): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await handle.writeFile(text);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

export function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}
