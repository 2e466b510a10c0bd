import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import Redis, { Cluster } from 'ioredis';
import { createClient, createCluster, createSentinel } from 'redis';
import type { CredentialStore } from '../../src';
import { type RedisClient, redisCredentialStore } from '../../src/redis';
import { describeWithRedis, freePort, RedisServer } from '../support/redis-server';
import { expectNoSecret } from '../support/sinks';

const encryptionKey = randomBytes(32).toString('hex');
const { signal } = new AbortController();

interface Connected {
  readonly client: RedisClient;
  close(): unknown;
}

/** Each client in each of its forms, and the server that it is for. */
const WAYS: Record<string, { server: () => RedisServer; connect: () => Promise<Connected> | Connected }> = {
  ioredis: { server: () => plain, connect: () => overIoredis(new Redis(plain.url)) },
  'ioredis, cluster': {
    server: () => cluster,
    connect: () => overIoredis(new Cluster([{ host: '127.0.0.1', port: cluster.port }])),
  },
  'ioredis, Sentinel': {
    server: () => plain,
    connect: () => overIoredis(new Redis({ sentinels: [{ host: '127.0.0.1', port: sentinel.port }], name: 'main' })),
  },
  'node-redis': { server: () => plain, connect: () => overNodeRedis(createClient({ url: plain.url })) },
  'node-redis, cluster': {
    server: () => cluster,
    connect: () => overNodeRedis(createCluster({ rootNodes: [{ url: cluster.url }] })),
  },
  'node-redis, Sentinel': {
    server: () => plain,
    connect: () =>
      overNodeRedis(createSentinel({ name: 'main', sentinelRootNodes: [{ host: '127.0.0.1', port: sentinel.port }] })),
  },
};

const overIoredis = (client: Redis | Cluster): Connected => ({ client, close: () => client.disconnect() });

async function overNodeRedis(
  client: RedisClient & {
    connect(): Promise<unknown>;
    destroy(): unknown;
    on(event: 'error', listener: () => void): unknown;
  },
): Promise<Connected> {
  client.on('error', () => {});
  await client.connect();
  return { client, close: () => client.destroy() };
}

let plain: RedisServer;
let cluster: RedisServer;
let sentinel: RedisServer;

describeWithRedis('a store in Redis', () => {
  beforeAll(async () => {
    plain = await RedisServer.start(['save ""']);
    cluster = await RedisServer.start(['save ""', 'cluster-enabled yes', 'cluster-announce-ip 127.0.0.1']);
    await cluster.command('cluster', 'addslotsrange', 0, 16_383);
    const monitored = [`sentinel monitor main 127.0.0.1 ${plain.port} 1`];
    sentinel = await RedisServer.start(monitored, ['--sentinel']);
    for (let tries = 0; !`${await cluster.command('cluster', 'info')}`.includes('cluster_state:ok'); tries++) {
      if (tries > 200) throw new Error('the cluster did not come up');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }, 60_000);

  afterAll(async () => {
    for (const server of [plain, cluster, sentinel]) await server?.close();
  });

  beforeEach(async () => {
    await plain.command('flushall');
    await cluster.command('flushall');
  });

  it.each(Object.keys(WAYS))('keeps texts, generations and locks (%s)', async (way) => {
    const { server, connect } = WAYS[way] as (typeof WAYS)[string];
    const { client, close } = await connect();
    try {
      const store = redisCredentialStore({ client, encryptionKey, prefix: 'p:' }) as Required<CredentialStore>;
      expect(await store.load('k', { signal })).toBeUndefined();
      expect(await store.save('k', 'one', { signal, generation: 1 })).toBe(true);
      expect(await store.load('k', { signal })).toEqual({ text: 'one', generation: 1 });
      expect(await store.save('k', 'late', { signal, generation: 1 })).toBe(false);
      expect(await store.save('k', 'ten', { signal, generation: 10 })).toBe(true);
      expect(await store.save('k', 'nine', { signal, generation: 9 })).toBe(false);
      expect(await store.load('k', { signal })).toEqual({ text: 'ten', generation: 10 });
      expect(await store.lock('k', { signal, owner: 'a', leaseMs: 60_000 })).toBe(true);
      expect(await store.lock('k', { signal, owner: 'b', leaseMs: 60_000 })).toBe(false);
      expect(await store.lock('k', { signal, owner: 'a', leaseMs: 90_000 })).toBe(true);
      expect(await server().command('pttl', 'p:k:lock')).toBeGreaterThan(60_000);
      await store.unlock('k', { signal, owner: 'b' });
      expect(await store.lock('k', { signal, owner: 'b', leaseMs: 60_000 })).toBe(false);
      await store.unlock('k', { signal, owner: 'a' });
      expect(await store.lock('k', { signal, owner: 'b', leaseMs: 1 })).toBe(true);
      const leftMs = (await server().command('pttl', 'p:k')) as number;
      expect(leftMs).toBeGreaterThan(29 * 86_400_000);
    } finally {
      await close();
    }
  });

  it('holds nothing that can be read', async () => {
    const { client, close } = overIoredis(new Redis(plain.url));
    await redisCredentialStore({ client, encryptionKey }).save('k', 'the-secret-text', { signal, generation: 1 });
    expectNoSecret(await plain.command('hgetall', 'k'), ['the-secret-text']);
    close();
  });

  it('is refused a client that is none', () => {
    for (const client of [undefined, {}, { eval: () => {} }]) {
      expect(() => redisCredentialStore({ client: client as never, encryptionKey })).toThrow(
        expect.objectContaining({ code: 'ERR_AUTH_CONFIG' }),
      );
    }
  });
});

/** The entry as it is where nothing but these peers is installed. */
function entryBeside(peers: readonly string[]): typeof import('../../src/redis') {
  let entry: typeof import('../../src/redis') | undefined;
  jest.isolateModules(() => {
    for (const peer of ['ioredis', 'redis']) {
      if (peers.includes(peer)) jest.dontMock(peer);
      else {
        jest.doMock(peer, () => {
          throw Object.assign(new Error(peer), { code: 'MODULE_NOT_FOUND' });
        });
      }
    }
    entry = require('../../src/redis');
  });
  return entry as typeof import('../../src/redis');
}

const connectBy = (peer: string, url: string) => {
  const { connectCredentialStore } = entryBeside([peer]);
  return connectCredentialStore(url, encryptionKey);
};

describeWithRedis('a store by the URL of a Redis', () => {
  it.each(['ioredis', 'redis'])(
    'connects when it is needed, and again after the server was gone (%s)',
    async (peer) => {
      const server = await RedisServer.start(['save ""']);
      const { store, close } = connectBy(peer, server.url);
      try {
        expect(await store.save('k', 'one', { signal, generation: 1 })).toBe(true);
        await server.kill();
        await expect(store.load('k', { signal })).rejects.toThrow();
        await expect(store.load('k', { signal })).rejects.toThrow();
        await server.start();
        expect(await store.save('k', 'two', { signal, generation: 1 })).toBe(true);
        const [first, second] = await Promise.all([store.load('k', { signal }), store.load('k', { signal })]);
        expect([first?.text, second?.text]).toEqual(['two', 'two']);
      } finally {
        await close();
        await server.close();
      }
    },
  );

  it.each(['ioredis', 'redis'])('fails, and no more, where nobody listens (%s)', async (peer) => {
    const { store, close } = connectBy(peer, `redis://127.0.0.1:${await freePort()}`);
    await expect(store.load('k', { signal })).rejects.toThrow();
    await close();
  });

  it.each(['', 'localhost:6379', 'http://redis', 'redis://'])('is refused what is none: "%s"', (url) => {
    expect(() => connectBy('ioredis', url)).toThrow(
      expect.objectContaining({ code: 'ERR_AUTH_CONFIG', message: expect.stringContaining('QELOS_AUTH_REDIS_URL') }),
    );
  });

  it('says what to install where there is no client', () => {
    expect(() => entryBeside([]).connectCredentialStore('redis://127.0.0.1', encryptionKey)).toThrow(
      expect.objectContaining({ code: 'ERR_AUTH_CONFIG', hint: expect.stringContaining('npm install ioredis') }),
    );
  });
});
