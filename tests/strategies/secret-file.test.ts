import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createQelosAuth } from '../../src';
import { readSecretFile } from '../../src/strategies/secret-file';
import { runChild } from '../support/child';
import { whenDone } from '../support/when-done';
import { failureOf } from './obtaining';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'qelos-auth-'));
  path = join(folder, 'token');
});
afterEach(() => rm(folder, { recursive: true }));

/** What must not be read as a token file, and what is said of it. */
const unreadable: [string, string, () => unknown][] = [
  ['a FIFO', 'not a regular file', () => execFileSync('mkfifo', [path])],
  [
    'a link to a FIFO',
    'not a regular file',
    async () => {
      execFileSync('mkfifo', [join(folder, 'fifo')]);
      await symlink('fifo', path);
    },
  ],
  ['a device', 'not a regular file', () => symlink('/dev/zero', path)],
  ['a terminal', 'not a regular file', () => symlink('/dev/tty', path)],
  ['a folder', 'EISDIR', () => mkdir(path)],
  [
    'a socket',
    'not a regular file',
    async () => {
      const server = createServer();
      server.listen(path);
      await once(server, 'listening');
      whenDone(() => new Promise((resolve) => server.close(resolve)));
    },
  ],
  [
    '1 GB',
    'more than 65536 bytes',
    async () => {
      const file = await open(path, 'w');
      await file.truncate(1024 ** 3);
      await file.close();
    },
  ],
  ['64 KiB and a byte', 'more than 65536 bytes', () => writeFile(path, 'x'.repeat(64 * 1024 + 1))],
  ['nothing', 'ENOENT', () => {}],
];

describe('S13 a token file that is', () => {
  it.each(unreadable)('%s: ERR_AUTH_CONFIG that names it, at once', async (_name, reason, make) => {
    await make();
    const auth = createQelosAuth({ env: {}, config: { url: 'http://127.0.0.1:1', apiTokenFile: path } });
    const begun = performance.now();
    expect(await failureOf(auth.http.get('/x'))).toMatchObject({
      code: 'ERR_AUTH_CONFIG',
      message: `config.apiTokenFile names a file that cannot be read (${reason}).`,
      retryable: true,
    });
    expect(performance.now() - begun).toBeLessThan(1_000);
    await auth.close();
  });

  it.each(['FIFO', 'token'])(
    'a %s, however often it is asked for, leaves the thread pool free and the process able to exit',
    async (kind) => {
      if (kind === 'FIFO') execFileSync('mkfifo', [path]);
      else await writeFile(path, 'ql_1');
      const { code, stdout, stderr } = await runChild('token-file.ts', { path });
      expect({ code, stdout: JSON.parse(stdout), stderr }).toEqual({
        code: 0,
        stdout: { read: kind === 'FIFO' ? [] : ['ql_1'], other: 'read' },
        stderr: '',
      });
    },
    30_000,
  );

  it('of /proc, which says that it is empty, is read', async () => {
    expect(await readSecretFile('/proc/self/comm')).toMatch(/\S/);
  });

  it('64 KiB is read', async () => {
    await writeFile(path, 'x'.repeat(64 * 1024));
    expect(await readSecretFile(path)).toHaveLength(64 * 1024);
  });

  it('a FIFO that has a writer is not read either', async () => {
    execFileSync('mkfifo', [path]);
    const writer = spawn('sh', ['-c', `echo ql_1 > "${path}"`], { stdio: 'ignore' });
    whenDone(() => void writer.kill('SIGKILL'));
    expect(await failureOf(readSecretFile(path))).toMatchObject({ reason: 'not a regular file' });
  });
});
