import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type QelosServer, startQelosServer } from '../../src/testing';
import { RedisServer } from '../support/redis-server';
import type { ReplicaReport, ReplicaTask } from './replica.types';

/** A life is counted without its last second, as Qelos cuts both of its ends to whole seconds. */
const ACCESS_TOKEN_SECONDS = 3;
const LIFE_MS = (ACCESS_TOKEN_SECONDS - 1) * 1_000;
/** A process that stands still goes on after this. */
const STOPPED_MS = 6_000;

export interface FleetOptions {
  readonly store: 'redis' | 'file';
  readonly processes: number;
  readonly callers: number;
  readonly runMs: number;
  /** Each caller's, between its calls, on average. Default: 200. */
  readonly pauseMs?: number;
  readonly timeoutMs?: number;
  /** What is different with one of the processes, by its number. */
  readonly differs?: (index: number, keys: readonly [string, string]) => Partial<ReplicaTask>;
  readonly encryptionKey?: (index: number, keys: readonly [string, string]) => string | readonly string[];
  /** What happens while they run. */
  readonly meanwhile?: (redis: RedisServer) => Promise<void>;
}

/** How a fleet fared in all. */
export interface FleetReport {
  readonly processes: number;
  /** Those that told how they fared; one that was killed did not. */
  readonly reports: readonly ReplicaReport[];
  readonly calls: number;
  readonly failures: readonly string[];
  /** As the server saw them. */
  readonly signIns: number;
  readonly refreshes: number;
  readonly refusedRefreshes: number;
  /** Refreshes for each life of a token. */
  readonly refreshesPerLife: number;
  readonly adoptions: number;
  readonly storeFailures: Record<string, number>;
  /** The steps at which a process was ended or stopped. */
  readonly reached: readonly string[];
}

/** Runs processes of one account against a Qelos and a store of their own. */
export async function runFleet(options: FleetOptions): Promise<FleetReport> {
  const folder = mkdtempSync(join(tmpdir(), 'qelos-auth-fleet-'));
  const server = await startQelosServer({ accessTokenSeconds: ACCESS_TOKEN_SECONDS });
  const redis = options.store === 'redis' ? await RedisServer.start(['save ""']) : undefined;
  const children: ChildProcess[] = [];
  try {
    const keys = [randomBytes(32).toString('hex'), randomBytes(32).toString('base64')] as const;
    const running = Array.from({ length: options.processes }, (_, index) => {
      const task = taskOf(index, options, server, redis?.url ?? '', join(folder, 'sessions'), keys);
      return new Replica(task, children);
    });
    await Promise.all(running.map(({ ready }) => ready));
    const [first, ...others] = running as [Replica, ...Replica[]];
    first.begin();
    // Who has signed in is the first to renew; the others have to give it time if something is to happen to it then.
    if (options.differs?.(0, keys).end) await first.signedIn;
    for (const replica of others) replica.begin();
    const begun = performance.now();
    if (redis) await options.meanwhile?.(redis);
    const told = await Promise.all(running.map(({ over }) => over));
    const tookMs = performance.now() - begun;
    const reports = told.filter((report) => report !== undefined);
    const reached = running.flatMap((replica) => replica.reached);
    return summary(server, reports, options.processes, Math.min(tookMs, options.runMs), reached);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await redis?.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function taskOf(
  index: number,
  options: FleetOptions,
  server: QelosServer,
  redisUrl: string,
  path: string,
  keys: readonly [string, string],
): ReplicaTask {
  const { username, password } = server.users[0] as QelosServer['users'][number];
  const encryptionKey = options.encryptionKey?.(index, keys) ?? keys[0];
  const over = index % 2 === 0 ? 'ioredis' : 'redis';
  return {
    ...{ url: server.url, username, password },
    store:
      options.store === 'file'
        ? { kind: 'file', path, encryptionKey }
        : { kind: 'redis', url: redisUrl, encryptionKey, over },
    ...{ callers: options.callers, pauseMs: options.pauseMs ?? 200, runMs: options.runMs },
    timeoutMs: options.timeoutMs ?? 20_000,
    ...options.differs?.(index, keys),
  };
}

/** A process of the fleet. */
class Replica {
  readonly ready: Promise<void>;
  /** What it tells when it is over; nothing if it was killed. */
  readonly over: Promise<ReplicaReport | undefined>;
  readonly signedIn: Promise<void>;
  readonly reached: string[] = [];
  readonly #child: ChildProcess;

  constructor(task: ReplicaTask, children: ChildProcess[]) {
    const child = fork(join(__dirname, 'replica.ts'), [JSON.stringify(task)], {
      execArgv: ['--import', 'tsx'],
      cwd: join(__dirname, '..', '..'),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    children.push(child);
    let report: ReplicaReport | undefined;
    this.ready = new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`a replica ended with ${code} before it began`)));
      child.on('message', (message: { ready?: true; report?: ReplicaReport; reached?: string }) => {
        if (message.ready) resolve();
        if (message.report) report = message.report;
        if (message.reached) {
          this.reached.push(message.reached);
          if (task.end?.signal === 'SIGSTOP') setTimeout(() => child.kill('SIGCONT'), STOPPED_MS);
        }
      });
    });
    this.signedIn = new Promise((resolve) => {
      child.on('message', ({ signedIn }: { signedIn?: true }) => signedIn && resolve());
    });
    this.over = new Promise((resolve) => child.once('exit', () => resolve(report)));
  }

  begin(): void {
    this.#child.send('begin');
  }
}

function summary(
  server: QelosServer,
  reports: readonly ReplicaReport[],
  processes: number,
  runMs: number,
  reached: readonly string[],
): FleetReport {
  const sum = (of: (report: ReplicaReport) => number) => reports.reduce((all, report) => all + of(report), 0);
  const storeFailures: Record<string, number> = {};
  for (const { storeFailures: own } of reports) {
    for (const [name, count] of Object.entries(own)) storeFailures[name] = (storeFailures[name] ?? 0) + count;
  }
  const refresh = { path: '/api/token/refresh' };
  const refreshes = server.requests.count({ ...refresh, status: 200 });
  return {
    processes,
    reports,
    calls: sum(({ calls }) => calls),
    failures: reports.flatMap(({ failures }) => failures),
    signIns: server.requests.count({ path: '/api/signin', status: 200 }),
    refreshes,
    refusedRefreshes: server.requests.count({ ...refresh, status: 401 }),
    refreshesPerLife: refreshes / (runMs / LIFE_MS),
    adoptions: sum(({ adoptions }) => adoptions),
    storeFailures,
    reached,
  };
}

/** One line for people. */
export function inWords(report: FleetReport): string {
  const { processes, calls, failures, signIns, refreshes, refusedRefreshes, refreshesPerLife, adoptions } = report;
  const troubles = Object.entries(report.storeFailures).map(([name, count]) => `${name} ×${count}`);
  return [
    `${processes} processes, ${calls} calls, ${failures.length} failed`,
    `${signIns} sign-ins, ${refreshes} refreshes (${refreshesPerLife.toFixed(2)} a life), ${refusedRefreshes} refused`,
    `${adoptions} adopted`,
    ...(troubles.length > 0 ? [`store: ${troubles.join(', ')}`] : []),
    ...(failures.length > 0 ? [`first failure: ${failures[0]}`] : []),
  ].join('; ');
}
