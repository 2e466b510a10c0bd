import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CredentialStore } from '../../src';
import { fileCredentialStore } from '../../src/file';
import { Generations } from '../../src/file/generations';
import { Managed } from '../credentials/managed';
import { runChild } from '../support/child';
import { whenDone } from '../support/when-done';

const { signal } = new AbortController();
let path: string;
let store: Required<CredentialStore>;

beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), 'qelos-auth-file-'));
  whenDone(() => rmSync(root, { recursive: true, force: true }));
  path = join(root, 'sessions');
  store = fileCredentialStore({ path }) as Required<CredentialStore>;
});

/** The files of all keys, by name. */
const files = () =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
const only = (name: string) => files().find((file) => file.includes(`/${name}.`)) as string;

describe('a store in files', () => {
  it('keeps the text of the greatest generation, and no other', async () => {
    expect(await store.load('k', { signal })).toBeUndefined();
    expect(await store.save('k', 'one', { signal, generation: 1 })).toBe(true);
    expect(await store.save('k', 'late', { signal, generation: 1 })).toBe(false);
    expect(await store.save('k', 'ten', { signal, generation: 10 })).toBe(true);
    expect(await store.save('k', 'nine', { signal, generation: 9 })).toBe(false);
    expect(await store.load('k', { signal })).toEqual({ text: 'ten', generation: 10 });
    expect(files()).toHaveLength(1);
    expect(await store.load('another/../key', { signal })).toBeUndefined();
  });

  it('lets one of many win that save the same generation at once', async () => {
    for (let generation = 1; generation <= 5; generation++) {
      const texts = Array.from({ length: 20 }, (_, index) => `${generation}-${index}`);
      const saved = await Promise.all(texts.map((text) => store.save('k', text, { signal, generation })));
      expect(saved.filter(Boolean)).toHaveLength(1);
      expect((await store.load('k', { signal }))?.text).toBe(texts[saved.indexOf(true)]);
    }
  });

  it('always gives a whole text while others are written', async () => {
    const whole = (generation: number) => `${generation}:`.repeat(20_000);
    let isOver = false;
    const reading = (async () => {
      const seen: (string | undefined)[] = [];
      while (!isOver) seen.push((await store.load('k', { signal }))?.text);
      return seen;
    })();
    for (let generation = 1; generation <= 30; generation++) {
      await store.save('k', whole(generation), { signal, generation });
    }
    isOver = true;
    for (const text of await reading) if (text) expect(text).toBe(whole(Number.parseInt(text, 10)));
  });

  it('is for its owner alone', async () => {
    await store.save('k', 'text', { signal, generation: 1 });
    await store.lock('k', { signal, owner: 'a', leaseMs: 1_000 });
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(files().map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600]);
  });

  it('holds nothing that can be read if it has a key', async () => {
    const encrypted = fileCredentialStore({ path, encryptionKey: randomBytes(32).toString('hex') });
    await encrypted.save('k', 'the-secret-text', { signal, generation: 1 });
    expect((await encrypted.load('k', { signal }))?.text).toBe('the-secret-text');
    for (const file of files()) expect(readFileSync(file, 'utf8')).not.toContain('the-secret-text');
  });

  it('clears what a process left behind that ended while it wrote', async () => {
    await store.save('k', 'one', { signal, generation: 1 });
    const draft = join(only('session'), '..', 'session.0b8ce6a4.draft');
    writeFileSync(draft, 'half');
    await store.save('k', 'two', { signal, generation: 2 });
    expect(files()).toHaveLength(2); // it may still be being written
    utimesSync(draft, 1, 1);
    await store.save('k', 'three', { signal, generation: 3 });
    expect(files()).toEqual([only('session')]);
  });

  it('changes nothing when a process comes late that stood still before it wrote', async () => {
    const late = new Generations(join(path, 'folder'), 'session');
    const prompt = new Generations(join(path, 'folder'), 'session');
    await prompt.add('one', 1);
    // What the late one does once it goes on: its generation is free again, as what was there has been replaced since.
    await prompt.add('two', 2);
    await prompt.add('three', 3);
    expect(await late.add('late', 2)).toBe(false);
    expect(await prompt.latest()).toEqual({ text: 'three', generation: 3 });
  });
});

describe('the lock of a store in files', () => {
  const take = (owner: string, leaseMs = 60_000) => store.lock('k', { signal, owner, leaseMs });

  it('has one holder, who may take it again, and who alone lets go of it', async () => {
    expect(await take('a')).toBe(true);
    expect(await take('b')).toBe(false);
    expect(await take('a')).toBe(true);
    await store.unlock('k', { signal, owner: 'b' });
    expect(await take('b')).toBe(false);
    await store.unlock('k', { signal, owner: 'a' });
    expect(await take('b')).toBe(true);
  });

  it('goes to one of many that ask at once', async () => {
    const taken = await Promise.all(Array.from({ length: 20 }, (_, index) => take(`${index}`)));
    expect(taken.filter(Boolean)).toHaveLength(1);
  });

  it('ends with its lease', async () => {
    await take('a', 0);
    expect(await take('b')).toBe(true);
  });

  it('ends with its holder, at once', async () => {
    const { stdout, stderr } = await runChild('file-lock.ts', { path, key: 'k' });
    expect([stdout.trim(), stderr]).toEqual(['true', '']);
    expect(await take('b')).toBe(true);
  });

  it.each([
    ['of another machine counts by its lease alone', { host: 'another', pid: 2 ** 22 + 1 }, false],
    ['of a process that runs counts', { pid: process.pid }, false],
    ['with more left than its lease is of before the machine was started', { until: Number.MAX_SAFE_INTEGER }, true],
    ['that cannot be read is nobody’s', undefined, true],
  ])('%s', async (_name, changes, isTaken) => {
    await take('a');
    const file = only('lock');
    const holder = { ...JSON.parse(readFileSync(file, 'utf8')), host: hostname() };
    writeFileSync(file, changes ? JSON.stringify({ ...holder, ...changes }) : '{"own');
    expect(await take('b')).toBe(isTaken);
  });
});

describe('a folder for sessions', () => {
  const failure = (given: string): unknown => {
    try {
      return fileCredentialStore({ path: given });
    } catch (error) {
      return error;
    }
  };

  it.each(['755', '750', '701', '770'])('that others may use is refused (mode %s)', (mode) => {
    chmodSync(path, mode);
    expect(failure(path)).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      message: expect.stringContaining(mode),
    });
  });

  it('is refused through a symbolic link, too', () => {
    const shared = `${path}-shared`;
    mkdirSync(shared);
    chmodSync(shared, 0o755);
    symlinkSync(shared, `${path}-link`);
    expect(failure(`${path}-link`)).toMatchObject({ code: 'ERR_AUTH_CONFIG' });
  });

  it('that is a file, or below one, is refused', () => {
    writeFileSync(`${path}-file`, '');
    for (const given of [`${path}-file`, join(`${path}-file`, 'below')]) {
      expect(failure(given)).toMatchObject({ code: 'ERR_AUTH_CONFIG', hint: expect.stringContaining('0700') });
    }
  });

  it('that goes while it is in use costs an event, and nothing else', async () => {
    const { manager, strategy, told } = new Managed({ store });
    rmSync(path, { recursive: true });
    writeFileSync(path, ''); // as on a disk that takes nothing
    await manager.get();
    expect(strategy.asked).toEqual(['sign-in']);
    expect(told[0]).toEqual(['storeFailed', { operation: 'load', reason: 'ENOTDIR' }]);
  });
});
