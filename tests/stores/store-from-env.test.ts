import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { container as rootContainer } from 'tsyringe';
import { createQelosAuth, QelosAuth, registerQelosAuth } from '../../src';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { runChild } from '../support/child';
import { describeWithRedis, RedisServer } from '../support/redis-server';
import { whenDone } from '../support/when-done';

const key = randomBytes(32).toString('base64');

async function setting(): Promise<{ server: QelosServer; env: Record<string, string> }> {
  const server = await startQelosServer();
  whenDone(() => server.close());
  const { username, password } = server.users[0] as QelosServer['users'][number];
  return { server, env: { QELOS_URL: server.url, QELOS_USERNAME: username, QELOS_PASSWORD: password } };
}

describe('the environment', () => {
  it.each([
    [
      'a switch that is no switch',
      { QELOS_AUTH_SHARED: 'true', REDIS_URL: 'redis://127.0.0.1:1' },
      'QELOS_AUTH_SHARED',
    ],
    ['sharing without a Redis', { QELOS_AUTH_SHARED: '1', QELOS_AUTH_STORE_KEY: key }, 'REDIS_URL'],
    ['a Redis without a key', { QELOS_AUTH_REDIS_URL: 'redis://127.0.0.1:1' }, 'QELOS_AUTH_STORE_KEY'],
    [
      'a short key',
      { QELOS_AUTH_REDIS_URL: 'redis://127.0.0.1:1', QELOS_AUTH_STORE_KEY: 'short' },
      'QELOS_AUTH_STORE_KEY',
    ],
    ['no URL of Redis', { QELOS_AUTH_REDIS_URL: 'x://y', QELOS_AUTH_STORE_KEY: key }, 'QELOS_AUTH_REDIS_URL'],
  ])('%s is a fault of the configuration, at start', async (_name, given, name) => {
    const { env } = await setting();
    expect(() => createQelosAuth({ env: { ...env, ...given } })).toThrow(
      expect.objectContaining({ code: 'ERR_AUTH_CONFIG', message: expect.stringContaining(name) }),
    );
  });

  it.each([{ REDIS_URL: 'redis://127.0.0.1:1' }, { REDIS_URL: 'x', QELOS_AUTH_SHARED: '0' }])(
    'shares nothing unless it is asked to (%o)',
    async (given) => {
      const { env } = await setting();
      const auth = createQelosAuth({ env: { ...env, ...given } });
      auth.on('storeFailed', () => expect('storeFailed').toBe('not told'));
      await auth.signIn();
      await auth.close();
    },
  );
});

describeWithRedis('a Redis that the environment names', () => {
  it.each([
    ['QELOS_AUTH_REDIS_URL', (url: string) => ({ QELOS_AUTH_REDIS_URL: url })],
    ['REDIS_URL and QELOS_AUTH_SHARED', (url: string) => ({ REDIS_URL: url, QELOS_AUTH_SHARED: '1' })],
  ])('shares one session (%s)', async (_name, named) => {
    const redis = await RedisServer.start(['save ""']);
    whenDone(() => redis.close());
    const { server, env } = await setting();
    const shared = { ...env, ...named(redis.url), QELOS_AUTH_STORE_KEY: `${key},${randomBytes(32).toString('hex')}` };
    const replicas = Array.from({ length: 4 }, () => createQelosAuth({ env: shared }));
    const container = rootContainer.createChildContainer();
    registerQelosAuth(container, { env: shared });
    replicas.push(container.resolve(QelosAuth));
    await Promise.all(replicas.map((auth) => auth.signIn()));
    expect(server.requests.count({ path: '/api/signin' })).toBe(1);
    await Promise.all(replicas.map((auth) => auth.close()));
    expect(`${await redis.command('keys', '*')}`).toMatch(/^qelos-auth:oauth-refresh:[^,]+$/); // and no lock
    expect(`${await redis.command('client', 'list')}`.trim().split('\n')).toHaveLength(1); // the one that asks
  });

  it('keeps no process alive, whether it answers or not', async () => {
    const redis = await RedisServer.start(['save ""']);
    whenDone(() => redis.close());
    const { env } = await setting();
    for (const url of [redis.url, 'redis://127.0.0.1:1']) {
      const shared = { ...env, QELOS_AUTH_REDIS_URL: url, QELOS_AUTH_STORE_KEY: key };
      const { code, stdout, stderr } = await runChild('shared-session.ts', {}, [], shared);
      expect([code, stdout.trim(), stderr]).toEqual([0, '200', '']);
    }
  }, 30_000);
});
