/**
 * A minute of bad weather: 100 callers, access tokens that live a second, and a server that resets, hangs, stalls, breaks,
 * redirects and refuses at random. What a call may fail of is what the server did to it; anything else is a fault of ours
 * and makes this exit with 1. `npm run soak`; SOAK_SECONDS and SOAK_SEED set how long, and which weather.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isAxiosError } from 'axios';
import { createQelosAuth, isAuthError } from 'qelos-auth';
import { type QelosServerFault, startQelosServer } from 'qelos-auth/testing';

const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 60);
const SEED = Number(process.env['SOAK_SEED'] ?? Date.now() % 1_000_000);
const CALLERS = 100;
const CALL_TIMEOUT_MS = 3_000;
const SIGN_IN_TIMEOUT_MS = 2_000;

const API = '/api/blueprints/storm/entities';
const SIGN_IN = '/api/signin';
const REFRESH = '/api/token/refresh';

/** mulberry32: small, seeded, good enough to choose the weather. */
let state = SEED;
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
}
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;

const conflict = { errors: { general: { version: 163, modifiedPaths: ['lastLogin', 'tokens'] } } };

async function main(): Promise<void> {
  const server = await startQelosServer({ accessTokenSeconds: 1 });
  const elsewhere = await startQelosServer();
  const [user] = server.users;
  const auth = createQelosAuth({
    env: {},
    config: { url: server.url, username: user?.username, password: user?.password, timeoutMs: SIGN_IN_TIMEOUT_MS },
  });
  const unhandled: unknown[] = [];
  process.on('unhandledRejection', (reason) => unhandled.push(reason));

  const weather: { path: string; fault: QelosServerFault }[] = [
    ...[API, SIGN_IN, REFRESH].flatMap((path) => [
      { path, fault: 'reset' as const },
      { path, fault: 'hang' as const },
      { path, fault: 'slow' as const },
      { path, fault: { status: 503, headers: { 'retry-after': '1' } } },
      { path, fault: { status: 500, body: 'out of order' } },
      { path, fault: { redirect: `${elsewhere.url}/api/me` } },
    ]),
    { path: API, fault: { redirect: `${server.url}/api/me` } },
    { path: SIGN_IN, fault: { status: 401, body: conflict } },
    { path: SIGN_IN, fault: 'html' },
    { path: REFRESH, fault: { status: 401 } },
    { path: REFRESH, fault: 'broken-json' },
  ];

  /** Until when a failure of each path may still be felt: by calls under way, or by the pause after a failed sign-in. */
  const feltUntil = new Map<string, number>();
  let changes = 0;
  let end = 0;
  const changeWeather = async () => {
    while (performance.now() < end - 1_000) {
      const { path, fault } = pick(weather);
      const times = 1 + Math.floor(random() * 20);
      feltUntil.set(path, Number.POSITIVE_INFINITY);
      server.fail(path, fault, times);
      changes++;
      await sleep(50 + random() * 300);
      server.fail(path, fault, 0);
      feltUntil.set(path, performance.now());
      await sleep(random() * 400);
    }
  };

  let calls = 0;
  const failures = new Map<string, number>();
  const ours: string[] = [];
  const call = async () => {
    while (performance.now() < end) {
      const from = performance.now();
      calls++;
      try {
        const { status, data } = await auth.http.get(API, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
        if (status !== 200 || !(Array.isArray(data) || '_id' in data))
          ours.push(`answered ${status} with something else`);
      } catch (error) {
        const what = describe(error);
        failures.set(what, (failures.get(what) ?? 0) + 1);
        if (!isServersFault(error, from, feltUntil)) ours.push(what);
      }
      if (performance.now() - from > CALL_TIMEOUT_MS + 1_000) ours.push('a call outlived its time-out');
      await sleep(5);
    }
  };

  const heapAfter = () => {
    globalThis.gc?.();
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  /** The heap after so much weather, when the time-outs of the last calls are over. */
  const storm = async (seconds: number) => {
    end = performance.now() + seconds * 1000;
    await Promise.all([changeWeather(), ...Array.from({ length: CALLERS }, call)]);
    await sleep(CALL_TIMEOUT_MS + 500);
    return heapAfter();
  };
  const early = await storm(SECONDS / 4);
  const late = await storm((SECONDS * 3) / 4);
  const growth = (late - early) / early;
  const count = (path: string, status?: number) => server.requests.count({ path, ...(status && { status }) });
  const report = {
    seed: SEED,
    seconds: SECONDS,
    calls,
    'weather changes': changes,
    'failures by the server': [...failures.values()].reduce((sum, one) => sum + one, 0) - ours.length,
    'failures of ours': ours.length,
    refreshes: count(REFRESH, 200),
    'refreshes asked for': count(REFRESH),
    'sign-ins': count(SIGN_IN, 200),
    'sign-ins asked for': count(SIGN_IN),
    'requests to another origin': elsewhere.requests.count(),
    'unhandled rejections': unhandled.length,
    'heap growth %': Number((growth * 100).toFixed(1)),
  };
  await auth.close();
  await Promise.all([server.close(), elsewhere.close()]);
  await sleep(100);
  const handles = process.getActiveResourcesInfo().filter((name) => !/^(TTYWrap|PipeWrap|Immediate)$/.test(name));
  for (const [name, value] of Object.entries({ ...report, 'open handles': handles.length })) {
    console.log(`${name.padEnd(28)} ${value}`);
  }
  console.log('failures, by kind:');
  for (const [what, times] of [...failures].sort((a, b) => b[1] - a[1]))
    console.log(`  ${String(times).padStart(6)}  ${what}`);
  for (const what of new Set(ours)) console.log(`OURS: ${what}`);
  if (handles.length > 0) console.log(`open: ${handles.join(', ')}`);

  const bad = ours.length + unhandled.length + handles.length + elsewhere.requests.count();
  if (bad > 0 || growth > 0.05) process.exitCode = 1;
}

function describe(error: unknown): string {
  if (isAuthError(error)) return `${error.code} (${error.status ?? '-'})`;
  if (isAxiosError(error)) return `${error.code} (${error.response?.status ?? '-'})`;
  return String(error);
}

/** Whether the server did it: what it answered or failed to answer, while it did so or just after. */
function isServersFault(error: unknown, from: number, feltUntil: Map<string, number>): boolean {
  const felt = (path: string, pauseMs: number) => (feltUntil.get(path) ?? Number.NEGATIVE_INFINITY) + pauseMs >= from;
  if (isAuthError(error)) {
    if (error.code === 'ERR_AUTH_REDIRECT') return felt(API, 0) || felt(SIGN_IN, 60_000) || felt(REFRESH, 60_000);
    const isOutage = error.code === 'ERR_AUTH_UNAVAILABLE' || error.code === 'ERR_AUTH_BAD_RESPONSE';
    // The pause after a failed sign-in or refresh: doubling to 60 s.
    return isOutage && (felt(SIGN_IN, 60_000) || felt(REFRESH, 60_000));
  }
  if (!isAxiosError(error)) return false;
  const status = error.response?.status;
  if (status !== undefined) return (status === 500 || status === 503) && felt(API, 0);
  const isTimeout = error.code === 'ECONNABORTED' || error.code === 'ERR_CANCELED';
  return felt(API, 0) || (isTimeout && (felt(SIGN_IN, CALL_TIMEOUT_MS) || felt(REFRESH, CALL_TIMEOUT_MS)));
}

void main();
