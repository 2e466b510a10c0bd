import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createQelosAuth, type QelosAuth } from '../../src';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { type Answer, sendJson, startBackend } from '../support/backend';
import { settableClock } from '../support/clock';
import { failureOf } from './obtaining';

const ME = '/api/me';
const ENTITIES = '/api/blueprints/thing/entities';

let server: QelosServer;
let folder: string;
let file: string;
let auth: QelosAuth;
let old: string;

beforeEach(async () => {
  server = await startQelosServer();
  folder = await mkdtemp(join(tmpdir(), 'qelos-auth-'));
  file = join(folder, 'token');
  old = server.issueApiToken();
});

afterEach(async () => {
  await auth.close();
  await server.close();
  await rm(folder, { recursive: true });
});

/** An instance that has called once with the old token. */
async function started(path = file): Promise<QelosAuth> {
  auth = createQelosAuth({ env: {}, config: { url: server.url, apiTokenFile: path } });
  await auth.http.get(ENTITIES);
  server.requests.reset();
  return auth;
}

const get = async () => (await auth.http.get(ENTITIES)).status;
const upload = async () => (await auth.http.post(ENTITIES, Readable.from(['{"metadata":{}}']))).status;
const checks = () => server.requests.count({ path: ME });
const refusals = () => server.requests.count({ status: 401 });

describe('a token that is replaced while the plugin runs', () => {
  it("by the swap of a Kubernetes secret's symbolic link is picked up without a failed call", async () => {
    // As kubelet does it: token -> ..data/token, ..data -> a folder, which is swapped by a rename.
    const version = async (name: string, token: string) => {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'token'), token);
      await symlink(name, join(folder, '..data_tmp'));
      await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    await version('..1', old);
    await symlink(join('..data', 'token'), file);
    await started();
    await version('..2', server.issueApiToken());
    server.revokeApiToken(old);
    expect(await Promise.all(Array.from({ length: 20 }, get))).toEqual(Array.from({ length: 20 }, () => 200));
    expect(checks()).toBe(2); // the look that finds the old one refused, and the check of the new one
  });

  it('while 50 calls at a time are under way: 0 fail, each token is checked once when it comes and once when it goes', async () => {
    await writeFile(file, old);
    await started();
    let current = old;
    const statuses: number[] = [];
    for (let rotation = 0; rotation < 5; rotation++) {
      const calls = Array.from({ length: 50 }, get);
      const next = server.issueApiToken();
      await writeFile(`${file}.new`, next);
      await rename(`${file}.new`, file);
      server.revokeApiToken(current);
      current = next;
      calls.push(...Array.from({ length: 50 }, get));
      statuses.push(...(await Promise.all(calls)));
    }
    expect(statuses).toEqual(Array.from({ length: 500 }, () => 200));
    expect(checks()).toBe(10);
  }, 30_000);

  it('and refused a while after: an upload that cannot be sent twice does not fail', async () => {
    await writeFile(file, old);
    const clock = settableClock();
    await started();
    await writeFile(file, server.issueApiToken());
    clock.advance(5_001); // the next look is due, in the background
    const signedIn = new Promise<void>((resolve) => auth.on('signedIn', () => resolve()));
    expect(await get()).toBe(200);
    await signedIn;
    await new Promise(setImmediate);
    server.revokeApiToken(old);
    expect(await upload()).toBe(200);
    expect(refusals()).toBe(0);
  });

  it('and refused while nothing was called: the first call looks before it sends', async () => {
    await writeFile(file, old);
    const clock = settableClock();
    await started();
    await writeFile(file, server.issueApiToken());
    server.revokeApiToken(old);
    clock.advance(30_001);
    expect(await upload()).toBe(200);
    expect(refusals()).toBe(0);
  });
});

describe('a look at the file', () => {
  it.each([
    ['is empty', ''],
    ['holds what can be no token', 'ql_one ql_two'],
    ['is gone', undefined],
  ])('that %s at the moment harms nobody and tells nobody while the token in use is good', async (_name, content) => {
    await writeFile(file, old);
    const clock = settableClock();
    await started();
    const failures: string[] = [];
    auth.on('refreshFailed', ({ code }) => failures.push(code));
    if (content === undefined) await rm(file);
    else await writeFile(file, content);
    for (let call = 0; call < 5; call++) {
      clock.advance(30_001);
      expect(await upload()).toBe(200);
    }
    await writeFile(file, server.issueApiToken());
    clock.advance(30_001);
    expect(await upload()).toBe(200);
    expect(checks()).toBe(1);
    expect(failures).toEqual([]);
  });

  it('that finds a half-written token: the old one serves on until the whole one is there', async () => {
    await writeFile(file, old);
    const clock = settableClock();
    await started();
    const next = server.issueApiToken();
    await writeFile(file, next.slice(0, 20));
    clock.advance(30_001);
    expect(await upload()).toBe(200);
    await writeFile(file, next);
    clock.advance(60_001);
    expect(await upload()).toBe(200);
    server.revokeApiToken(old);
    expect(await upload()).toBe(200);
  });

  it('that finds the same token sends nothing and tells nothing, however many calls come by', async () => {
    await writeFile(file, old);
    const clock = settableClock();
    await started();
    const signIns: string[] = [];
    auth.on('signedIn', ({ strategy }) => signIns.push(strategy));
    for (let round = 0; round < 3; round++) {
      clock.advance(30_001);
      await Promise.all(Array.from({ length: 20 }, get));
    }
    expect(checks()).toBe(0);
    expect(signIns).toEqual([]);
  });
});

describe('a token that is refused while its file is being written', () => {
  it('is replaced by what the file holds once the half-written one was refused too', async () => {
    await writeFile(file, old);
    await started();
    const backend = await startBackend();
    backend.on(ME, ({ authorized }) => {
      if (!authorized) writeFileSync(file, backend.apiToken); // the rest of it is written
      return false;
    });
    await writeFile(file, backend.apiToken.slice(0, 20));
    const late = createQelosAuth({ env: {}, config: { url: backend.url, apiTokenFile: file } });
    expect((await late.http.get(ENTITIES)).status).toBe(200);
    expect(backend.to(ME).map(({ authorized }) => authorized)).toEqual([false, true]);
  });

  it('but not for ever: a file that holds another bad token each time it is read costs 3 requests', async () => {
    await writeFile(file, old);
    await started();
    const backend = await startBackend();
    let written = 0;
    backend.on(ME, () => {
      writeFileSync(file, `ql_bad-${++written}`);
      return false;
    });
    await writeFile(file, 'ql_bad');
    const late = createQelosAuth({ env: {}, config: { url: backend.url, apiTokenFile: file } });
    expect(await failureOf(late.http.get(ENTITIES))).toMatchObject({ code: 'ERR_AUTH_TOKEN_REFUSED', retryable: true });
    expect(backend.received).toHaveLength(3);
  });

  it('or, if it was found empty, within the second', async () => {
    await writeFile(file, old);
    const clock = settableClock();
    await started();
    server.revokeApiToken(old);
    await writeFile(file, '');
    expect(await failureOf(get())).toMatchObject({ code: 'ERR_AUTH_CONFIG', retryable: true });
    await writeFile(file, server.issueApiToken());
    clock.advance(1_000);
    expect(await get()).toBe(200);
  });
});

describe('S07 one spurious 401', () => {
  /** Calls once a second, for a minute at most, until a call succeeds. */
  const goodAgain = async (clock: { advance(ms: number): void }) => {
    for (let second = 1; second <= 60; second++) {
      clock.advance(1_000);
      if ((await get().catch(() => undefined)) === 200) return second;
    }
    return undefined;
  };
  const spurious = { status: 401, body: { message: 'Invalid or expired API token' } };

  it('at the start: the token is good again within a minute', async () => {
    await writeFile(file, old);
    const clock = settableClock();
    auth = createQelosAuth({ env: {}, config: { url: server.url, apiTokenFile: file } });
    server.fail(ME, spurious, 1);
    expect(await failureOf(get())).toMatchObject({ code: 'ERR_AUTH_TOKEN_REFUSED', retryable: true });
    expect(await goodAgain(clock)).toBeLessThanOrEqual(60);
    expect(server.requests.count({ path: ME, status: 401 })).toBe(1);
  });

  it('at a rotation: the next token does not die with it', async () => {
    const clock = settableClock();
    const backend = await startBackend();
    let accepted = 'ql_old';
    let mistakes = 1;
    const refuse: Answer = ({ headers }, response) => {
      const isMistake = accepted === 'ql_new' && headers['x-api-key'] === accepted && mistakes-- > 0;
      if (headers['x-api-key'] === accepted && !isMistake) sendJson(response, 200, { _id: '1' });
      else sendJson(response, 401, { message: 'Invalid or expired API token' });
    };
    backend.on(ME, refuse);
    backend.on(ENTITIES, refuse);
    await writeFile(file, 'ql_old');
    auth = createQelosAuth({ env: {}, config: { url: backend.url, apiTokenFile: file } });
    expect(await get()).toBe(200);
    accepted = 'ql_new';
    await writeFile(file, 'ql_new');
    expect(await failureOf(get())).toMatchObject({ response: { status: 401 }, authCode: 'ERR_AUTH_TOKEN_REFUSED' });
    expect(await goodAgain(clock)).toBeLessThanOrEqual(60);
  });

  it('for a token that is good: ten hours later too', async () => {
    await writeFile(file, old);
    const clock = settableClock();
    await started();
    server.fail(ENTITIES, spurious, 2);
    server.fail(ME, spurious, 1);
    await get().catch(() => {});
    clock.advance(36_000_000);
    expect(await get()).toBe(200);
  });

  it('but another token is tried at once', async () => {
    await writeFile(file, old);
    const clock = settableClock();
    await started();
    server.revokeApiToken(old);
    await failureOf(get());
    await writeFile(file, server.issueApiToken());
    clock.advance(1_000);
    expect(await get()).toBe(200);
  });
});

describe('W06 an auth service that cannot check a key', () => {
  it('is an outage, and calls go on soon after it is over', async () => {
    await writeFile(file, old);
    const clock = settableClock();
    for (const config of [{ apiToken: old }, { apiTokenFile: file }]) {
      auth = createQelosAuth({ env: {}, config: { url: server.url, ...config, timeoutMs: 400 } });
      server.fail(ME, { status: 401, body: { message: 'API token authentication failed' } });
      expect(await failureOf(get())).toMatchObject({
        code: 'ERR_AUTH_UNAVAILABLE',
        retryable: true,
        message: expect.stringContaining('API token authentication failed'),
      });
      server.fail(ME, 'reset', 0);
      clock.advance(1_001);
      expect(await get()).toBe(200);
      await auth.close();
    }
  });
});
