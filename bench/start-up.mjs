/** (e) Start-up, in fresh processes: time and memory to load the package, and the time to the first authenticated answer. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { interleaved, report, summary } from './measure.mjs';
import { ACCOUNT, startServer } from './server.mjs';

const require = createRequire(import.meta.url);
const [LOAD_PEERS, LOAD_OURS, LOAD_PLAY] = ['axios and tsyringe', 'qelos-auth', '@qelos/plugin-play'];

const load = {
  [LOAD_PEERS]: () => {
    require('reflect-metadata');
    require('tsyringe');
    return require('axios');
  },
  [LOAD_OURS]: () => {
    require('reflect-metadata');
    require('tsyringe');
    require('axios');
    return require('qelos-auth');
  },
  [LOAD_PLAY]: () => require('./node_modules/.bench/qelos.cjs'),
};

const first = {
  [LOAD_PEERS]: (axios, url) => axios.get(`${url}/api/me`, { headers: { 'x-api-key': ACCOUNT.apiToken } }),
  [LOAD_OURS]: ({ createQelosAuth }, url) =>
    createQelosAuth({ env: {}, config: { url, apiToken: ACCOUNT.apiToken } }).http.get('/api/me'),
  [LOAD_PLAY]: ({ getSdkForUrl }, url) =>
    getSdkForUrl({ appUrl: url, apiToken: ACCOUNT.apiToken }).authentication.getLoggedInUser(),
};

/** What runs in a fresh process. */
async function startOnce(name, url) {
  globalThis.gc();
  const before = process.memoryUsage();
  const begun = performance.now();
  const loaded = load[name]();
  const loadMs = performance.now() - begun;
  globalThis.gc();
  const after = process.memoryUsage();
  const hasSdk = Object.keys(require.cache).some((file) => /qelos-auth[\\/]dist[\\/]sdk[\\/]qelos-sdk\.js$/.test(file));
  const asked = performance.now();
  await first[name](loaded, url);
  const heapKb = (after.heapUsed - before.heapUsed) / 1_024;
  // From the begin of loading to the answer, without the collections that only the measurement needs.
  return {
    loadMs,
    heapKb,
    rssKb: (after.rss - before.rss) / 1_024,
    answerMs: loadMs + performance.now() - asked,
    hasSdk,
  };
}

if (process.argv[2] === '--child') {
  process.send(await startOnce(process.argv[3], process.argv[4]), () => process.exit());
} else {
  await report(async ({ rounds }) => {
    const server = await startServer();
    const measured = await interleaved(Object.keys(load), rounds, async (name) => {
      const child = fork(fileURLToPath(import.meta.url), ['--child', name, server.url], { execArgv: ['--expose-gc'] });
      const [result] = await once(child, 'message');
      return result;
    });
    server.close();
    const base = measured.get(LOAD_PEERS);
    const result = {};
    for (const [name, values] of measured) {
      const of = (what) => summary(values.map((value) => value[what]));
      const over = (what) => summary(values.map((value, round) => value[what] - base[round][what]));
      result[name] = {
        ...{
          loadMs: of('loadMs'),
          loadMsOverPeers: over('loadMs'),
          heapKb: of('heapKb'),
          heapKbOverPeers: over('heapKb'),
        },
        ...{ rssKb: of('rssKb'), answerMs: of('answerMs'), sdkLoaded: values.some(({ hasSdk }) => hasSdk) },
      };
    }
    return result;
  });
}
