import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import Redis from 'ioredis';
import { listen } from './backend';

const isInstalled = spawnSync('redis-server', ['--version']).status === 0;

/** Where Redis is not installed, its tests are skipped, loudly; with `QELOS_TESTS_NEED_REDIS=1` they fail instead. */
export const describeWithRedis: typeof describe | typeof describe.skip =
  isInstalled || process.env['QELOS_TESTS_NEED_REDIS'] === '1' ? describe : skipped();

function skipped(): typeof describe.skip {
  process.stderr.write(
    '\nSKIPPED: all tests with a real Redis, as there is no redis-server (Debian: apt-get install redis-server)\n',
  );
  return describe.skip;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A Redis of this test's own, on loopback; nothing is written to a disk but its configuration. */
export class RedisServer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'qelos-auth-redis-'));
  readonly #settings: readonly string[];
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    settings: readonly string[],
    flags: readonly string[],
  ) {
    this.#settings = settings;
    this.#flags = flags;
  }

  /** @param settings - lines of its configuration */
  static async start(settings: readonly string[] = [], flags: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), settings, flags);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const file = join(this.#folder, 'redis.conf');
    const common = [`port ${this.port}`, 'bind 127.0.0.1', `dir ${this.#folder}`];
    writeFileSync(file, [...common, ...this.#settings, ''].join('\n'));
    this.#child = spawn('redis-server', [file, ...this.#flags], { stdio: 'ignore' });
    await this.#answers();
  }

  /** Ends it without a word, as a crash does. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Lets it stand still, or go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** One command on a connection of its own. */
  async command(name: string, ...given: (string | number)[]): Promise<unknown> {
    const client = new Redis(this.url, { lazyConnect: true, retryStrategy: () => null });
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.call(name, ...given);
    } finally {
      client.disconnect();
    }
  }

  async #answers(): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      try {
        await this.command('ping');
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    throw new Error('redis-server did not answer within ten seconds');
  }
}
