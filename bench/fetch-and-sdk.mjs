/** (g) `auth.fetch` and `auth.sdk` beside the `fetch` of Node and the SDK over it: small answers, and streams of 10 MB. */
import { createRequire } from 'node:module';
import { callFor, interleaved, ratios, report, summary } from './measure.mjs';
import { ACCOUNT, LARGE_BYTES, startServer } from './server.mjs';

const require = createRequire(import.meta.url);
const CALLERS = 50;
const DOWNLOADS = 10;

function open(url) {
  const { createQelosAuth } = require('qelos-auth');
  const { undici } = require('qelos-auth/undici');
  const { QelosAdministratorSDK } = require('./node_modules/.bench/qelos.cjs');
  const { apiToken } = ACCOUNT;
  const auth = createQelosAuth({ env: {}, config: { url, apiToken } });
  const overUndici = createQelosAuth({ env: {}, config: { url, apiToken }, transport: undici() });
  const headers = { 'x-api-key': apiToken };
  const bareSdk = new QelosAdministratorSDK({ appUrl: url, fetch: globalThis.fetch, apiToken });
  const axios = require('axios').create({ baseURL: url, headers });
  const plain = (path) => fetch(`${url}${path}`, { headers });
  return {
    small: {
      fetch: async () => (await plain('/api/me')).json(),
      'auth.fetch': async () => (await auth.fetch('/api/me')).json(),
      'bare axios': async () => (await axios.get('/api/me')).data,
      '@qelos/sdk over fetch': () => bareSdk.authentication.getLoggedInUser(),
      'auth.sdk': () => auth.sdk.authentication.getLoggedInUser(),
      'auth.sdk, transport: undici': () => overUndici.sdk.authentication.getLoggedInUser(),
    },
    large: {
      fetch: async () => (await plain('/api/large')).body,
      'auth.fetch': async () => (await auth.fetch('/api/large')).body,
      'bare axios': async () => (await axios.get('/api/large', { responseType: 'stream' })).data,
      'auth.http': async () => (await auth.http.get('/api/large', { responseType: 'stream' })).data,
    },
  };
}

async function megabytesPerSecond(download) {
  const begun = performance.now();
  for (let i = 0; i < DOWNLOADS; i++) {
    let bytes = 0;
    for await (const chunk of await download()) bytes += chunk.length;
    if (bytes !== LARGE_BYTES) throw new Error(`${bytes} bytes instead of ${LARGE_BYTES}`);
  }
  return (DOWNLOADS * LARGE_BYTES) / 1_000 / (performance.now() - begun);
}

await report(async ({ rounds, sliceMs }) => {
  const server = await startServer();
  const { small, large } = open(server.url);
  const measured = async (subjects, measure) => {
    await interleaved(Object.keys(subjects), 1, (name) => measure(subjects[name]));
    const values = await interleaved(Object.keys(subjects), rounds, (name) => measure(subjects[name]));
    const base = values.get('fetch');
    return Object.fromEntries([...values].map(([name, all]) => [name, { ...summary(all), ratio: ratios(all, base) }]));
  };
  const result = {
    requestsPerSecond: await measured(small, async (call) => (await callFor(sliceMs, CALLERS, call)).perSecond),
    megabytesPerSecond: await measured(large, megabytesPerSecond),
  };
  server.close();
  return result;
});
