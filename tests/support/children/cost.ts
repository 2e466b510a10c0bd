/**
 * What a request costs with a credential at hand, beside the same request through bare axios: promises, and bytes allocated.
 * The network is left out: `http.request` is replaced by one that answers at once, so that axios' own adapter runs.
 * Needs --expose-gc and a young generation that holds a whole round.
 */
import { createHook } from 'node:async_hooks';
import http from 'node:http';
import { Readable, Writable } from 'node:stream';
import axios, { type AxiosInstance } from 'axios';
import { createQelosAuth } from '../../../src';

const ANSWER = Buffer.from(JSON.stringify({ text: 'x'.repeat(180), ok: true }));
const url = 'http://127.0.0.1:9';

class StubRequest extends Writable {
  constructor(readonly answer: (response: unknown) => void) {
    super();
  }

  setTimeout() {
    return this;
  }

  override _write(_chunk: unknown, _encoding: unknown, done: () => void) {
    done();
  }

  override _final(done: () => void) {
    done();
    const response = Object.assign(Readable.from([ANSWER], { objectMode: false }), {
      statusCode: 200,
      statusMessage: 'OK',
      headers: { 'content-type': 'application/json', 'content-length': String(ANSWER.length) },
      rawHeaders: [],
      req: this,
    });
    queueMicrotask(() => this.answer(response));
  }
}

let authorized = 0;
http.request = ((options: { headers: Record<string, string> }, answer: (response: unknown) => void) => {
  if (options.headers['x-api-key'] !== undefined) authorized += 1;
  return new StubRequest(answer);
}) as never;

const token = `ql_${'a'.repeat(64)}`;
const auth = createQelosAuth({ env: {}, config: { url, apiToken: token, strategy: 'test' }, strategies: [strategy()] });

const floor = { baseURL: url, maxRedirects: 0, proxy: false } as const;
/** The library, and what to hold it against. */
const candidates = {
  ours: auth.http,
  /** axios as everybody has it: follow-redirects in between, and a look at the environment for a proxy. */
  bare: axios.create({ baseURL: url }),
  /** The leanest there is: it follows nothing and carries nothing. */
  lean: axios.create(floor),
  /** The leanest that carries a credential, from memory. */
  leanWithKey: axios.create({ ...floor, headers: { 'x-api-key': token } }),
} satisfies Record<string, AxiosInstance>;
type Candidate = keyof typeof candidates;
const names = Object.keys(candidates) as Candidate[];

/** Signing in is not what is measured. */
function strategy() {
  const { Credential } = require('../../../src') as typeof import('../../../src');
  return { name: 'test', missing: () => [], signIn: async () => Credential.apiKey(token) };
}

async function run(instance: AxiosInstance, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await instance.get('/api/me');
}

async function promisesOf(instance: AxiosInstance): Promise<number> {
  let promises = 0;
  const hook = createHook({
    init(_id, type) {
      if (type === 'PROMISE') promises += 1;
    },
  });
  const times = 100;
  hook.enable();
  await run(instance, times);
  hook.disable();
  return Math.round((promises / times) * 10) / 10;
}

async function bytesOf(instance: AxiosInstance, times: number): Promise<number> {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  await run(instance, times);
  return (process.memoryUsage().heapUsed - before) / times;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] as number;

async function main(): Promise<void> {
  await auth.signIn().catch(() => {}); // there is nobody to ask whose the credential is
  for (const name of [...names, ...names]) await run(candidates[name], 1_000);
  authorized = 0;
  await run(auth.http, 10);
  if (authorized !== 10) throw new Error(`${authorized} of 10 requests carried the credential`);
  const rounds: Record<Candidate, number[]> = { ours: [], bare: [], lean: [], leanWithKey: [] };
  for (let round = 0; round < 15; round++) {
    for (const name of names) rounds[name].push(await bytesOf(candidates[name], 200));
  }
  const cost = {} as Record<Candidate, { promises: number; bytes: number }>;
  for (const name of names) {
    cost[name] = { promises: await promisesOf(candidates[name]), bytes: Math.round(median(rounds[name])) };
  }
  console.log(JSON.stringify(cost));
}

main();
