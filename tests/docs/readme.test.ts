import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import type { AwilixContainer } from 'awilix';
import type { AxiosInstance } from 'axios';
import type { FastifyInstance } from 'fastify';
import type { Container as InversifyContainer } from 'inversify';
import {
  type AuthStrategy,
  type CredentialStore,
  createQelosAuth,
  isAuthError,
  QELOS_HTTP,
  QELOS_SDK,
  type QelosAdministratorSDK,
  type QelosAuth,
} from 'qelos-auth';
import { pluginPlayOptions } from 'qelos-auth/plugin-play';
import { type QelosServer, type QelosServerUser, startQelosServer } from 'qelos-auth/testing';
import { container } from 'tsyringe';
import { loadPlay, type PluginPlay } from '../plugin-play/play';
import { type CodeBlock, codeBlocksOf, run } from './code-blocks';

const ROOT = resolve(__dirname, '../..');
const FILES = [
  'README.md',
  'docs/strategies.md',
  'docs/operations.md',
  'docs/plugin-play.md',
  'docs/containers.md',
  'docs/acting-for.md',
];
const STRATEGIES = join(ROOT, 'docs/strategies.md');
const BOOKS = '/api/blueprints/book/entities';

let server: QelosServer;
let plain: QelosServerUser;
let environment: NodeJS.ProcessEnv;

beforeEach(async () => {
  server = await startQelosServer();
  plain = server.users[1] as QelosServerUser;
  environment = process.env;
  process.env = { ...withoutSettings(environment), QELOS_URL: server.url };
});

afterEach(async () => {
  process.env = environment;
  container.reset();
  await server.close();
});

function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('QELOS_')));
}

function useApiToken(): void {
  process.env['QELOS_API_TOKEN'] = server.issueApiToken({ username: plain.username });
}

function usePassword(): void {
  process.env['QELOS_USERNAME'] = plain.username;
  process.env['QELOS_PASSWORD'] = plain.password;
}

/** The real package, loaded anew, for a port that is free, and quiet. */
function freshPlay(): PluginPlay {
  Object.assign(process.env, { NODE_ENV: 'production', APP_URL: 'http://127.0.0.1', HOST: '127.0.0.1', PORT: '0' });
  return loadPlay();
}

async function addBook(): Promise<void> {
  const config = { url: server.url, apiToken: server.issueApiToken() };
  await createQelosAuth({ config, env: {} }).http.post(BOOKS, { metadata: { title: 'Emma' } });
}

/** Each block of a file, and what comes of running it. A block without an entry fails the test below. */
const OUTCOMES: Record<string, Record<string, (block: CodeBlock, others: CodeBlock[]) => Promise<void>>> = {
  'README.md': {
    books: async (block) => {
      const { exports } = await run(block);
      expect(exports).toHaveProperty('Books');
    },
    plugin: async (block, others) => {
      useApiToken();
      await addBook();
      const { printed } = await run(block, await siblings(others, 'books'));
      expect(printed).toMatchObject([['user', [{ metadata: { title: 'Emma' } }]]]);
    },
    shelf: async (block) => {
      useApiToken();
      await addBook();
      const { printed } = await run(block);
      expect(printed).toMatchObject([[[{ metadata: { title: 'Emma' } }]]]);
    },
    'books.test': async (block, others) => {
      await runTests(block, others);
    },
    'with-sdk': async (block) => {
      usePassword();
      const { printed } = await run(block);
      expect(printed).toMatchObject([[[{ metadata: { title: 'Dune' } }]]]);
      expect(server.requests.count({ path: '/api/signin' })).toBe(1);
    },
    script: async (block) => {
      usePassword();
      const { printed } = await run(block);
      expect(printed).toEqual([['user', 200, 'oauth-refresh']]);
    },
    'vault-strategy': async (block) => {
      const { exports } = await run(block);
      expect(exports).toHaveProperty('VaultStrategy');
    },
    'vault-strategy.test': async (block, others) => {
      await runTests(block, others);
    },
    errors: async (block) => {
      useApiToken();
      expect((await run(block)).printed).toEqual([['ERR_AUTH_FORBIDDEN', expect.stringContaining('role')]]);
      process.env['QELOS_API_TOKEN'] = 'ql_unknown';
      const { printed } = await run(block);
      expect(printed[0]?.[0]).toBe('ERR_AUTH_TOKEN_REFUSED');
      expect(printed[0]?.[1]).toContain('QELOS_API_TOKEN');
    },
    'mock.test': async (block, others) => {
      await runTests(block, others);
      expect(server.requests.count()).toBe(0);
    },
    more: async (block) => {
      useApiToken();
      const { printed } = await run(block);
      expect(printed).toEqual([
        ['signed in with', 'api-token'],
        [401, 200],
      ]);
    },
  },
  'docs/strategies.md': {
    'partner-strategy': async (block) => {
      const { exports } = await run(block);
      expect(exports).toHaveProperty('PartnerStrategy');
    },
    'partner-strategy.test': async (block, others) => {
      await runTests(block, others);
      // The strategy without the signal fails in the way that the text says it does.
      const changed = others.map(({ name, code }) => ({ name, code: code.replace('headers, signal }', 'headers }') }));
      const said = /\n {2}Error: (signIn\(\) ignored .*)\n/.exec(readFileSync(STRATEGIES, 'utf8'))?.[1];
      await expect(runTests(block, changed)).rejects.toThrow(new Error(said));
      const unlimited = others.map(({ name, code }) => ({ name, code: code.replace('...LIMITS, ', '') }));
      await expect(runTests(block, unlimited)).rejects.toThrow(/followed a redirect to another server, with a secret/);
    },
    'injected-strategy': async (block) => {
      const { InjectedStrategy } = (await run(block)).exports as { InjectedStrategy: new () => AuthStrategy };
      Object.assign(process.env, { PARTNER_KEY: 'k' });
      const auth = createQelosAuth({ strategies: [InjectedStrategy] });
      await auth.http.get('/api/me').catch(() => {});
      const [request] = server.requests.list({ path: '/api/me' });
      expect(auth.strategy.name).toBe('injected');
      expect(request?.headers['x-partner']).toBe(`partner k ${new URL(server.url).host}`);
    },
    'signing-strategy': async (block) => {
      const { exports } = await run(block);
      expect(exports).toHaveProperty('SigningStrategy');
    },
    'signing-strategy.test': async (block, others) => {
      await runTests(block, others);
    },
    register: async (block, others) => {
      const { exports } = await run(others.find(({ name }) => name === 'partner-strategy') as CodeBlock);
      Object.assign(process.env, { PARTNER_KEY: 'good', PARTNER_BROKER_URL: 'http://127.0.0.1:1' });
      const { printed } = await run(block, { 'partner-strategy': exports });
      expect(printed).toEqual([[{ name: 'partner', skipped: [] }]]);
    },
  },
  'docs/plugin-play.md': {
    plugin: async (block) => {
      usePassword();
      const play = freshPlay();
      const { on, getSdk, LifecycleEvent } = play;
      const plugin = new Promise<Parameters<Parameters<typeof on>[1]>[0]['app']>((resolve) => {
        on(LifecycleEvent.mounted, ({ app }) => resolve(app));
      });
      await run(block, { '@qelos/plugin-play': play });
      const app = await plugin;
      expect((await app.inject({ url: '/api/play-manifest' })).json()).toMatchObject({ name: 'books' });
      expect(await getSdk().authentication.getLoggedInUser()).toMatchObject({ username: plain.username });
      expect(server.requests.count({ path: '/api/signin' })).toBe(1);
      await app.close();
    },
    errors: async (block) => {
      usePassword();
      const play = freshPlay();
      play.configure({}, pluginPlayOptions(createQelosAuth()));
      const { printed } = await run(block, { '@qelos/plugin-play': play });
      expect(printed).toEqual([['ERR_AUTH_FORBIDDEN', expect.stringContaining('role')]]);
    },
    'own-options': async (block) => {
      usePassword();
      await addBook();
      const { printed } = await run(block, { '@qelos/plugin-play': freshPlay() });
      expect(printed).toMatchObject([[[{ metadata: { title: 'Emma' } }]]]);
    },
  },
  'docs/containers.md': {
    tsyringe: async (block) => {
      useApiToken();
      container.register('audit-url', { useValue: server.url });
      container.register('audit-token', { useValue: server.issueApiToken({ username: 'admin' }) });
      const { Journal } = (await run(block)).exports as { Journal: new () => { names(): Promise<string[]> } };
      expect(await container.resolve(Journal).names()).toEqual([plain.username, 'admin']);
    },
    nest: async (block) => {
      useApiToken();
      const { QelosModule } = (await run(block)).exports as { QelosModule: new () => object };
      const app = await NestFactory.createApplicationContext(QelosModule, { logger: false });
      await expectParts(app.get(QELOS_HTTP), app.get(QELOS_SDK), () => app.close());
    },
    inversify: async (block) => {
      useApiToken();
      const { container } = (await run(block)).exports as { container: InversifyContainer };
      await expectParts(container.get(QELOS_HTTP), container.get(QELOS_SDK), () => container.unbindAll());
    },
    awilix: async (block) => {
      useApiToken();
      const { container } = (await run(block)).exports as { container: AwilixContainer };
      const { http, sdk } = container.cradle;
      await expectParts(http, sdk, () => container.dispose());
    },
  },
  'docs/acting-for.md': {
    'fastify-hook': async (block) => {
      useApiToken();
      await addBook();
      const { app } = (await run(block)).exports as { app: FastifyInstance };
      const ask = async (headers: Record<string, string>) => {
        const { statusCode, body } = await app.inject({ url: '/books', headers });
        return { status: statusCode, body: JSON.parse(body) as unknown };
      };
      await isProtected(ask);
      await app.close();
    },
    'express-middleware': async (block) => {
      useApiToken();
      await addBook();
      const { app } = (await run(block)).exports as { app: RequestListener };
      const listening = createServer(app).listen(0, '127.0.0.1');
      await once(listening, 'listening');
      const { port } = listening.address() as AddressInfo;
      await isProtected(async (headers) => {
        const { status, ...answer } = await fetch(`http://127.0.0.1:${port}/books`, { headers }).then(
          async (response) => ({
            status: response.status,
            body: (await response.text()) as unknown,
          }),
        );
        return { status, body: status < 500 ? JSON.parse(String(answer.body)) : answer.body };
      });
      await new Promise((resolve) => listening.close(resolve));
    },
    'request-container': async (block) => {
      process.env['QELOS_API_TOKEN'] = server.issueApiToken({ username: 'admin' });
      await addBook();
      const { handle } = (await run(block)).exports as { handle(request: object): Promise<unknown> };
      expect(await handle({ headers: callerHeaders() })).toMatchObject([{ metadata: { title: 'Emma' } }]);
      await expect(handle({ headers: {} })).rejects.toMatchObject({ code: 'ERR_AUTH_NO_CREDENTIAL' });
    },
    'report-job': async (block) => {
      process.env['QELOS_API_TOKEN'] = server.issueApiToken({ username: 'admin' });
      await addBook();
      const { booksOf } = (await run(block)).exports as { booksOf(user: string): Promise<unknown> };
      expect(await booksOf(plain._id)).toMatchObject([{ metadata: { title: 'Emma' } }]);
      await expect(booksOf('65f0c0ffee65f0c0ffee65f0')).rejects.toMatchObject({ response: { status: 401 } });
    },
    composed: async (block) => {
      const { open } = (await run(block)).exports as { open(exchange: unknown, store: CredentialStore): QelosAuth };
      const saved: string[] = [];
      const expiresAt = new Date(Date.now() + 3_600_000);
      const store = { load: async () => undefined, save: async (key: string) => saved.push(key) > 0 };
      const auth = open(async () => ({ token: await accessToken(), expiresAt }), store);
      expect(await auth.signIn()).toMatchObject({
        strategy: 'exchange',
        user: { username: plain.username },
        expiresAt,
      });
      expect(saved).toHaveLength(1);
    },
  },
  'docs/operations.md': {
    'other-instance': async (block) => {
      useApiToken();
      const other = await startQelosServer();
      Object.assign(process.env, { STAGING_URL: other.url, STAGING_TOKEN: other.issueApiToken({ username: 'admin' }) });
      const { printed } = await run(block);
      expect(printed).toEqual([['user', 'admin']]);
      await other.close();
    },
    tenants: async (block) => {
      const { username, password } = plain;
      process.env['TENANTS'] = JSON.stringify({ acme: { url: server.url, username, password } });
      const { exports } = await run(block);
      const { getSdkForTenant } = exports as { getSdkForTenant(tenant: string): Promise<QelosAdministratorSDK> };
      const [sdk] = await Promise.all([getSdkForTenant('acme'), getSdkForTenant('acme')]);
      expect((await sdk?.authentication.getLoggedInUser())?.username).toBe(username);
      await expect(getSdkForTenant('nobody')).rejects.toMatchObject({ code: 'ERR_AUTH_CONFIG' });
      expect(server.requests.count({ path: '/api/signin' })).toBe(1);
    },
  },
};

/** That a container has given an account's parts, one for all, and closes it. */
async function expectParts(
  http: AxiosInstance,
  sdk: QelosAdministratorSDK,
  end: () => Promise<unknown>,
): Promise<void> {
  expect((await http.get('/api/me')).data.username).toBe(plain.username);
  expect((await sdk.authentication.getLoggedInUser()).username).toBe(plain.username);
  expect(server.requests.count({ path: '/api/me', status: 200 })).toBe(3); // the check of the token is the first
  await end();
  await expect(http.get('/api/me')).rejects.toMatchObject({ code: 'ERR_AUTH_CLOSED' });
}

/** What other blocks of a file export, for a block that imports them. */
async function siblings(blocks: CodeBlock[], ...names: string[]): Promise<Record<string, object>> {
  const wanted = blocks.filter(({ name }) => names.includes(name));
  return Object.fromEntries(await Promise.all(wanted.map(async (block) => [block.name, (await run(block)).exports])));
}

function callerHeaders(): Record<string, string> {
  return { 'x-api-key': server.issueApiToken({ username: plain.username }) };
}

async function accessToken(): Promise<string> {
  const answer = await fetch(`${server.url}/api/signin`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: plain.username, password: plain.password, authType: 'oauth' }),
  });
  return ((await answer.json()) as { payload: { token: string } }).payload.token;
}

/** What an endpoint of the two frameworks answers to callers with and without a credential, and in an outage. */
async function isProtected(
  ask: (headers: Record<string, string>) => Promise<{ status: number; body: unknown }>,
): Promise<void> {
  const books = [{ metadata: { title: 'Emma' } }];
  expect(await ask({ authorization: `Bearer ${await accessToken()}` })).toMatchObject({ status: 200, body: books });
  expect(await ask({})).toMatchObject({ status: 401, body: { message: 'Sign in to Qelos first.' } });
  expect(await ask({ 'x-api-key': 'ql_unknown' })).toMatchObject({ status: 401 });
  server.fail('/api/me', { status: 503 }, 1);
  expect(await ask(callerHeaders())).toMatchObject({ status: 500 });
}

/** Runs the tests that a block defines, beside the blocks of what they are about. */
async function runTests(block: CodeBlock, others: CodeBlock[]): Promise<void> {
  const imported = [...block.code.matchAll(/from '\.\/([\w-]+)(?:\.ts)?'/g)].map(([, name = '']) => name);
  const { tests } = await run(block, await siblings(others, ...imported));
  expect(tests.size).toBeGreaterThan(0);
  for (const body of tests.values()) await body();
}

describe.each(FILES)('%s', (file) => {
  const blocks = codeBlocksOf(join(ROOT, file));
  const outcomes = OUTCOMES[file] ?? {};

  test('has exactly the blocks that are run here', () => {
    expect(blocks.map(({ name }) => name).sort()).toEqual(Object.keys(outcomes).sort());
  });

  test.each(blocks.map(({ name }) => name))('%s.ts does what it says', async (name) => {
    const block = blocks.find((candidate) => candidate.name === name) as CodeBlock;
    await outcomes[name]?.(block, blocks);
  });
});

test('every block has the types it claims, in a strict project', () => {
  const folder = join(ROOT, 'temp', `docs-${process.pid}`);
  try {
    mkdirSync(folder, { recursive: true });
    for (const file of FILES) {
      const target = join(folder, file.replace(/\W/g, '-'));
      mkdirSync(target);
      for (const { name, code } of codeBlocksOf(join(ROOT, file))) writeFileSync(join(target, `${name}.ts`), code);
    }
    const compilerOptions = {
      module: 'esnext',
      moduleResolution: 'bundler',
      emitDecoratorMetadata: false,
      noPropertyAccessFromIndexSignature: false,
      typeRoots: [join(ROOT, 'node_modules/@types')],
      paths: {
        'qelos-auth': [join(ROOT, 'src/index.ts')],
        'qelos-auth/*': [join(ROOT, 'src/*/index.ts')],
      },
    };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: ['**/*.ts'], exclude: [] }),
    );
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);

describe('what the README claims of qelos-auth', () => {
  const AT_ONCE = Array.from({ length: 50 });

  test('a wrong password costs 1 request, and the next try waits 30 s', async () => {
    const config = { url: server.url, username: plain.username, password: 'wrong' };
    const auth = createQelosAuth({ config, env: {} });
    const errors = await Promise.all(AT_ONCE.map(() => auth.http.get('/api/me').catch((error: unknown) => error)));
    expect(errors.every((error) => isAuthError(error) && error.code === 'ERR_AUTH_REFUSED')).toBe(true);
    await expect(auth.signIn()).rejects.toMatchObject({ code: 'ERR_AUTH_REFUSED' });
    expect(server.requests.count()).toBe(1);
    const again = await auth.signIn().catch((error: unknown) => error);
    expect(isAuthError(again) && again.retryAfterMs).toBeGreaterThan(25_000);
  });

  test('50 calls at once cost 1 sign-in, and after expiry 1 refresh', async () => {
    usePassword();
    const auth = createQelosAuth();
    await Promise.all(AT_ONCE.map(() => auth.http.get(BOOKS)));
    expect(server.requests.count({ path: '/api/signin' })).toBe(1);
    server.expireAccessTokens();
    await Promise.all(AT_ONCE.map(() => auth.http.get(BOOKS)));
    expect(server.requests.count({ path: '/api/token/refresh' })).toBe(1);
    expect(server.requests.count({ path: '/api/signin' })).toBe(1);
  });

  test.each([400, 403, 404, 409, 429])('a POST that is answered with %i is sent once', async (status) => {
    usePassword();
    const auth = createQelosAuth();
    server.fail(BOOKS, { status, body: { message: 'no' } });
    await expect(auth.http.post(BOOKS, {})).rejects.toMatchObject({ response: { status, data: { message: 'no' } } });
    expect(server.requests.count({ path: BOOKS })).toBe(1);
    expect(server.requests.count({ path: '/api/token/refresh' })).toBe(0);
  });

  test('a redirect to another origin is not followed', async () => {
    useApiToken();
    const other = await startQelosServer();
    server.fail(BOOKS, { redirect: `${other.url}${BOOKS}` });
    await expect(createQelosAuth().http.get(BOOKS)).rejects.toMatchObject({ code: 'ERR_AUTH_REDIRECT' });
    expect(other.requests.count()).toBe(0);
    await other.close();
  });
});
