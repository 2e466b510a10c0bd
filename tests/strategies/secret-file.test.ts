import { execFileSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type AuthConfig, isAuthError } from '../../src';
import { readSecretFile, reasonOf } from '../../src/strategies/secret-file';
import { startBackend } from '../support/backend';
import { runChild } from '../support/child';
import { openAuth } from '../support/ways';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'qelos-auth-'));
});
afterEach(() => rm(folder, { recursive: true }));

const unfit: [string, RegExp, (path: string) => unknown][] = [
  ['a FIFO', /not a regular file/, (path) => execFileSync('mkfifo', [path])],
  ['a directory', /EISDIR/, (path) => mkdir(path)],
  [
    'a file of 1 GB',
    /larger than 64 KiB/,
    (path) => {
      writeFileSync(path, '');
      truncateSync(path, 1_000_000_000);
    },
  ],
  ['a file of one byte too much', /larger than 64 KiB/, (path) => writeFileSync(path, 'x'.repeat(64 * 1024 + 1))],
];

describe('S13 a token file that is', () => {
  it.each(unfit)('%s: ERR_AUTH_CONFIG that names it, and it is not read', async (_name, says, make) => {
    const path = join(folder, 'token');
    await make(path);
    const backend = await startBackend();
    const error = await openAuth({ config: { url: backend.url, apiTokenFile: path } as AuthConfig })
      .http.get('/api/me')
      .catch((caught: unknown) => caught);
    expect(isAuthError(error) && error.code).toBe('ERR_AUTH_CONFIG');
    expect((error as Error).message).toMatch(/QELOS_API_TOKEN_FILE/);
    expect((error as Error).message).toMatch(says);
    expect(backend.received).toHaveLength(0);
  });

  it.each(['/dev/zero', '/dev/tty', '/dev/stdin'])('a device (%s): not read', async (path) => {
    const reason = await readSecretFile(path).then(() => 'was read', reasonOf);
    expect(reason).toMatch(/not a regular file|ENXIO|ENOENT|EACCES/);
  });

  it('a FIFO: the process can exit, and other files can be read', async () => {
    const path = join(folder, 'token');
    execFileSync('mkfifo', [path]);
    const { code, stdout } = await runChild('token-fifo.ts', { path });
    expect([stdout.trim(), code]).toEqual(['8 × ERR_AUTH_CONFIG, and a file was read', 0]);
  });

  it('64 KiB or less is read whole', async () => {
    const path = join(folder, 'token');
    writeFileSync(path, 'x'.repeat(64 * 1024));
    expect(await readSecretFile(path)).toHaveLength(64 * 1024);
  });
});
