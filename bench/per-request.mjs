/** (a) What a request costs with a credential at hand and no network: promises, bytes, processor time. */
import { createHook } from 'node:async_hooks';
import { Bench } from 'tinybench';
import { interleaved, ratios, report, summary } from './measure.mjs';
import { STUB_URL, stubFetch, stubHttp } from './stub.mjs';

stubHttp();
const { BARE, SUBJECTS } = await import('./subjects.mjs');

async function times(count, call) {
  for (let i = 0; i < count; i++) await call();
}

async function promisesOf(call) {
  let promises = 0;
  const hook = createHook({
    init(_id, type) {
      if (type === 'PROMISE') promises++;
    },
  });
  hook.enable();
  await times(100, call);
  hook.disable();
  return Math.round(promises / 10) / 10;
}

async function bytesOf(call) {
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  await times(200, call);
  return (process.memoryUsage().heapUsed - before) / 200;
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

/** Microseconds of processor time a call. tinybench keeps the count, by the process' clock instead of the wall's. */
async function cpuOf(call) {
  const bench = new Bench({ now: cpuMs, time: 0, iterations: 400, warmup: false });
  bench.add('call', call);
  await bench.run();
  return bench.tasks[0].result.latency.mean * 1_000;
}

await report(async ({ rounds }) => {
  const setting = { url: STUB_URL, fetch: stubFetch };
  const subjects = [];
  for (const subject of SUBJECTS.filter(({ hasTransport }) => !hasTransport)) {
    subjects.push({ name: subject.name, call: await subject.open(setting) });
  }
  for (let warmUp = 0; warmUp < 2; warmUp++) for (const { call } of subjects) await times(1_000, call);
  const bytes = await interleaved(subjects, rounds, ({ call }) => bytesOf(call));
  const cpu = await interleaved(subjects, rounds, ({ call }) => cpuOf(call));
  const bare = subjects.find(({ name }) => name === BARE);
  const result = {};
  for (const subject of subjects) {
    result[subject.name] = {
      promises: await promisesOf(subject.call),
      bytes: summary(bytes.get(subject)),
      bytesRatio: ratios(bytes.get(subject), bytes.get(bare)),
      cpuMicroseconds: summary(cpu.get(subject)),
      cpuRatio: ratios(cpu.get(subject), cpu.get(bare)),
    };
  }
  return result;
});
