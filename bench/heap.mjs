/** (f) The heap after a million requests over a transport that answers at once, measured after a full collection each time. */
import { report } from './measure.mjs';
import { STUB_URL, stubFetch, stubHttp } from './stub.mjs';

stubHttp();
const { SUBJECTS } = await import('./subjects.mjs');

function heapUsed() {
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

await report(async ({ subject: wanted, requests }) => {
  const subject = SUBJECTS.find(({ name }) => name === wanted);
  const call = await subject.open({ url: STUB_URL, fetch: stubFetch });
  const samples = [];
  const step = requests / 10;
  // One step more: what the first one leaves is code that was compiled, and caches that were filled.
  for (let i = 0; i <= 10; i++) {
    for (let k = 0; k < step; k++) await call();
    samples.push(heapUsed());
  }
  const growth = samples.at(-1) - samples[0];
  const growthKb = Math.round(growth / 102.4) / 10;
  return {
    requests,
    growthKb,
    bytesPerRequest: growth / requests,
    samplesKb: samples.map((used) => Math.round(used / 1_024)),
  };
});
