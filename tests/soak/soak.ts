/**
 * A minute of bad weather: 100 callers by every way, access tokens that live two seconds, storms of cold tenants, and a server
 * that resets, hangs, stalls, cuts, answers early, breaks, redirects and refuses at random. What a call may fail of is what
 * the server did to it; anything else is a fault of ours, is printed with its row of docs/faults.md, and makes this exit
 * with 1. Beside it connections are cut, and found dead, while tokens end. `npm run soak`; SOAK_SECONDS and SOAK_SEED set how long,
 * and which weather.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAxiosError } from 'axios';
import { apiRefusal, createQelosAuth, isAuthError, type QelosAuth, TenantAuth } from 'qelos-auth';
import { type QelosServerFault, startQelosServer } from 'qelos-auth/testing';
import { withConnectionsCut, withDeadSockets } from './cut-connections';
import { type Roughness, startRoughGateway } from './rough-gateway';

const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 60);
const SEED = Number(process.env['SOAK_SEED'] ?? Date.now() % 1_000_000);
const CALLERS = 100;
const CALL_TIMEOUT_MS = 3_000;
const SIGN_IN_TIMEOUT_MS = 2_000;
/** A busy machine is late; a call without a deadline never ends. */
const LATE_MS = 4_000;
/** So many come at once; of so many, one is known. More would only measure how fast the server signs them in. */
const COLD_TENANTS = 5_000;
const ONE_KNOWN_IN = 100;
const WARM_TENANTS = 500;
/** A storm of tenants that costs the square of their number holds up the event loop for longer, everything else does not. */
const MAX_TURN_MS = 1_000;

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

/** A way to call the API. Throws if what comes back is not what the API answers. */
type Way = (auth: QelosAuth) => Promise<void>;

const assertList = (data: unknown) => {
  if (!Array.isArray(data) && !(typeof data === 'object' && data !== null && '_id' in data))
    throw new Error('answered with something else');
};

async function streamOf(auth: QelosAuth): Promise<Readable> {
  return (await auth.http.get<Readable>(API, { responseType: 'stream' })).data;
}

const WAYS: Record<string, Way> = {
  http: async (auth) => assertList((await auth.http.get(API)).data),
  sdk: async (auth) => assertList(await auth.sdk.blueprints.entitiesOf('storm').getList()),
  async fetch(auth) {
    const response = await auth.fetch(API);
    if (response.ok) assertList(await response.json());
    else await response.body?.cancel();
  },
  async 'stream, read'(auth) {
    for await (const _ of await streamOf(auth));
  },
  // Nobody listens, so nobody is told; and nobody is to be harmed (S01).
  async 'stream, unread'(auth) {
    const stream = await streamOf(auth);
    await sleep(200);
    stream.destroy();
  },
  async upload(auth) {
    const chunks = Array.from({ length: 10 }, () => Buffer.alloc(4_000, ' '));
    const body = Readable.from([Buffer.from('{"metadata":{}'), ...chunks, Buffer.from('}')]);
    await auth.http.post(API, body, { headers: { 'content-type': 'application/json' } });
  },
};

/** Ways whose answers are handed out before their body has come. */
const READ_BY_CALLER = new Set(['fetch', 'stream, read']);

async function main(): Promise<void> {
  const server = await startQelosServer({ accessTokenSeconds: 1 });
  const gateway = await startRoughGateway(server.url);
  const elsewhere = await startQelosServer();
  const [user] = server.users;
  server.route('POST', API, () => ({ body: { _id: '1' } })); // many uploads are not to fill the memory
  const auth = createQelosAuth({
    env: {},
    config: { url: gateway.url, username: user?.username, password: user?.password, timeoutMs: SIGN_IN_TIMEOUT_MS },
    axios: { timeout: CALL_TIMEOUT_MS },
  });
  const apiToken = server.issueApiToken();
  const isKnown = (tenant: string) => Number(tenant) % ONE_KNOWN_IN === 0;
  const load = async (tenant: string) => (isKnown(tenant) ? { url: server.url, apiToken } : undefined);
  const tenants = new TenantAuth(load, { max: WARM_TENANTS });

  /** What was done wrong, and how often. */
  const ours = new Map<string, number>();
  const blame = (what: string) => void ours.set(what, (ours.get(what) ?? 0) + 1);
  process.on('unhandledRejection', (reason) => blame(`an unhandled rejection: ${describe(reason)} (F16)`));
  process.on('uncaughtException', (error) => blame(`the process would have ended: ${describe(error)} (S01)`));

  const weather: { path: string; fault: QelosServerFault | Roughness }[] = [
    ...[API, SIGN_IN, REFRESH].flatMap((path) => [
      { path, fault: 'reset' as const },
      { path, fault: 'hang' as const },
      { path, fault: 'slow' as const },
      { path, fault: 'cut' as const },
      { path, fault: 'stall' as const },
      { path, fault: { status: 503, headers: { 'retry-after': '1' } } },
      { path, fault: { status: 500, body: 'out of order' } },
      { path, fault: { redirect: `${elsewhere.url}/api/me` } },
    ]),
    { path: API, fault: { redirect: `${gateway.url}/api/me` } },
    ...[200, 401, 413, 500].map((early) => ({ path: API, fault: { early } })),
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
      const isRough = fault === 'cut' || fault === 'stall' || (typeof fault === 'object' && 'early' in fault);
      if (isRough) gateway.treat(path, fault);
      else server.fail(path, fault, times);
      changes++;
      await sleep(50 + random() * 300);
      gateway.treat(path, undefined);
      server.fail(path, 'reset', 0);
      feltUntil.set(path, performance.now());
      await sleep(random() * 400);
    }
  };

  let calls = 0;
  const failures = new Map<string, number>();
  const call = async () => {
    while (performance.now() < end) {
      const from = performance.now();
      const name = pick(Object.keys(WAYS));
      calls++;
      const outcome = (WAYS[name] as Way)(auth).then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      const watchdog = new AbortController();
      const late = sleep(CALL_TIMEOUT_MS + LATE_MS, 'late' as const, { signal: watchdog.signal }).catch(
        () => undefined,
      );
      const result = await Promise.race([outcome, late]);
      watchdog.abort();
      // The body of these is their reader's, for as long as it does not stall.
      if (result === 'late' && !READ_BY_CALLER.has(name)) blame(`${name}: a call outlived its time-out (S03)`);
      else if (result && result !== 'late') {
        const what = `${name}: ${describe(result.error)}`;
        failures.set(what, (failures.get(what) ?? 0) + 1);
        // A stream can't be sent again, so it fails when its token has just ended.
        const isRefusedStream =
          name === 'upload' && isAxiosError(result.error) && result.error.response?.status === 401;
        if (!isRefusedStream && !isServersFault(result.error, from, feltUntil)) blame(what);
      }
      await sleep(5);
    }
  };

  let cold = 0;
  const turns = monitorEventLoopDelay({ resolution: 10 });
  const tenantStorms = async () => {
    while (performance.now() < end - 1_000) {
      const ids = Array.from({ length: COLD_TENANTS }, () => String(cold++));
      const answers = ids.map(async (id) => (await tenants.for(id)).http.get('/api/me'));
      for (const [index, answer] of (await Promise.allSettled(answers)).entries()) {
        if (isKnown(ids[index] as string) === (answer.status === 'fulfilled')) continue;
        blame(`tenants: ${answer.status === 'rejected' ? describe(answer.reason) : 'a stranger was let in'} (S08)`);
      }
      await sleep(1_000);
    }
  };

  const counts = { refreshes: 0, 'refreshes asked for': 0, 'sign-ins': 0, 'sign-ins asked for': 0 };
  /** The server keeps its latest requests, now more of them and now less, which is not to count as growth. */
  const takeCounts = () => {
    counts.refreshes += server.requests.count({ path: REFRESH, status: 200 });
    counts['refreshes asked for'] += server.requests.count({ path: REFRESH });
    counts['sign-ins'] += server.requests.count({ path: SIGN_IN, status: 200 });
    counts['sign-ins asked for'] += server.requests.count({ path: SIGN_IN });
    server.requests.reset();
  };
  const heapAfter = async () => {
    // Who is told that something was collected, lets go of more, and that of more again.
    for (let round = 0; round < 10; round++) {
      globalThis.gc?.();
      await sleep(20);
    }
    return process.memoryUsage().heapUsed;
  };
  /** The heap after so much weather, when the time-outs of the last calls are over. */
  const storm = async (seconds: number) => {
    end = performance.now() + seconds * 1000;
    await Promise.all([changeWeather(), tenantStorms(), ...Array.from({ length: CALLERS }, call)]);
    await sleep(CALL_TIMEOUT_MS + 500);
    takeCounts();
    return heapAfter();
  };
  const early = await storm(SECONDS / 4);
  turns.enable();
  const late = await storm((SECONDS * 3) / 4);
  turns.disable();
  const growth = (late - early) / early;
  // The figures of issue reports are about 20 s of it: a third of a minute.
  const beside = { seconds: SECONDS / 3, random, blame };
  const cut = await Promise.all([withConnectionsCut(beside), withDeadSockets(beside)]);
  const longest = turns.max / 1e6;
  if (longest > MAX_TURN_MS) blame(`one turn of the event loop took ${Math.round(longest)} ms (S08)`);
  if (elsewhere.requests.count() > 0) blame('a redirect to another origin was followed (F01)');
  if (growth > 0.05) blame(`the heap grew by more than 5 % of ${Math.round(early / 1024)} kB`);

  const report = {
    seed: SEED,
    seconds: SECONDS,
    calls,
    'weather changes': changes,
    failures: sum(failures),
    ...counts,
    'cold tenants': cold,
    'longest turn, ms': Math.round(longest),
    'heap growth %': Number((growth * 100).toFixed(1)),
    ...cut[0],
    ...cut[1],
  };
  await auth.close();
  await tenants.close();
  await Promise.all([gateway.close(), server.close(), elsewhere.close()]);
  await sleep(100);
  const handles = process.getActiveResourcesInfo().filter((name) => !/^(TTYWrap|PipeWrap|Immediate)$/.test(name));
  for (const name of handles) blame(`an open handle: ${name} (S04)`);
  for (const [name, value] of Object.entries({ ...report, 'failures of ours': sum(ours) }))
    console.log(`${name.padEnd(28)} ${value}`);
  print('failures, by way and kind:', failures);
  print('OURS:', ours);
  if (ours.size > 0) process.exitCode = 1;
}

const sum = (counts: Map<string, number>) => [...counts.values()].reduce((all, one) => all + one, 0);

function print(title: string, counts: Map<string, number>): void {
  if (counts.size === 0) return;
  console.log(title);
  for (const [what, times] of [...counts].sort((a, b) => b[1] - a[1]))
    console.log(`  ${String(times).padStart(6)}  ${what}`);
}

function describe(error: unknown): string {
  if (isAuthError(error)) return `${error.code} (${error.httpStatus ?? '-'})`;
  if (isAxiosError(error)) return `${apiRefusal(error)?.authCode ?? error.code} (${error.response?.status ?? '-'})`;
  return String(error);
}

/** Statuses that the server answers by itself, without being asked for them. */
const SERVERS = new Set([401, 413, 500, 503]);

/** Whether the server did it: what it answered or failed to answer, while it did so or just after. */
function isServersFault(error: unknown, from: number, feltUntil: Map<string, number>): boolean {
  const felt = (path: string, pauseMs: number) => (feltUntil.get(path) ?? Number.NEGATIVE_INFINITY) + pauseMs >= from;
  if (isAuthError(error)) {
    if (error.code === 'ERR_AUTH_REDIRECT') return felt(API, 0) || felt(SIGN_IN, 60_000) || felt(REFRESH, 60_000);
    const isOutage = error.code === 'ERR_AUTH_UNAVAILABLE' || error.code === 'ERR_AUTH_BAD_RESPONSE';
    // The pause after a failed sign-in or refresh: doubling to 60 s.
    return isOutage && (felt(SIGN_IN, 60_000) || felt(REFRESH, 60_000));
  }
  // As a fetch and the SDK say it.
  if (error instanceof TypeError && isAxiosError(error.cause)) return isServersFault(error.cause, from, feltUntil);
  // A stream has errors of its own, and so has a fetch for a body that breaks off.
  if (!isAxiosError(error)) return felt(API, 0);
  const status = error.response?.status;
  // What axios calls a 200 whose body breaks off.
  if (status === 200) return error.code === 'ERR_BAD_RESPONSE' && /aborted/.test(error.message) && felt(API, 0);
  if (status !== undefined) return SERVERS.has(status) && felt(API, 0);
  const isTimeout = error.code === 'ECONNABORTED' || error.code === 'ERR_CANCELED';
  return felt(API, 0) || (isTimeout && (felt(SIGN_IN, CALL_TIMEOUT_MS) || felt(REFRESH, CALL_TIMEOUT_MS)));
}

void main();
