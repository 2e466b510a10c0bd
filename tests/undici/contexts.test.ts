import { AsyncLocalStorage } from 'node:async_hooks';
import http from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import axios, { type AxiosRequestConfig } from 'axios';
import { undici } from 'qelos-auth/undici';
import { listen } from '../support/backend';
import { whenDone } from '../support/when-done';

const context = new AsyncLocalStorage<string>();
const settings = { maxRedirects: 0, proxy: false } as const;

/** `/ok` answers in pieces, `/cut` breaks off, `/mute` says nothing. */
async function start(): Promise<string> {
  const server = http.createServer((request, response) => {
    request.resume();
    if (request.url === '/mute') return;
    response.write('a'.repeat(100_000));
    if (request.url === '/ok') setImmediate(() => response.end('z'));
    if (request.url === '/cut') setTimeout(() => response.destroy(), 20);
  });
  const port = await listen(server);
  whenDone(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${port}`;
}

describe('S14: what happens to a call happens in its own async context', () => {
  it.each<[string, () => AxiosRequestConfig]>([
    ['over the connection of another call', () => ({})],
    ['as an upload in pieces', () => ({ method: 'post', data: Readable.from([Buffer.from('a'), Buffer.from('b')]) })],
  ])('%s', async (_name, configure) => {
    const url = await start();
    const seen = new Map<string, string | undefined>();
    const note = (name: string) => {
      if (!seen.has(name) || seen.get(name) === 'own') seen.set(name, context.getStore());
    };
    const call = (path: string, config: AxiosRequestConfig) =>
      axios.request({ ...settings, ...configure(), ...config, url: url + path, transport: undici() });
    const read = async (path: string) => {
      const validateStatus = () => {
        note(`${path} answer`);
        return true;
      };
      const { data } = await call(path, { responseType: 'stream', validateStatus });
      for (const event of ['data', 'end', 'error', 'aborted']) data.on(event, () => note(`${path} ${event}`));
      await new Promise<void>((resolve) => {
        data.on('close', () => {
          note(`${path} close`);
          resolve();
        });
      });
    };
    // It opens the connection that the others come by.
    await context.run('another', () => axios.get(`${url}/ok`, { ...settings, transport: undici() }));
    await context.run('own', async () => {
      await call('/ok', { onDownloadProgress: () => note('progress') });
      await read('/ok');
      await read('/cut');
      await call('/mute', { timeout: 30 }).catch(() => note('time-out'));
    });
    const events = ['answer', 'data', 'close'].flatMap((name) => [`/ok ${name}`, `/cut ${name}`]);
    const expected = ['progress', ...events, '/ok end', '/cut error', '/cut aborted', 'time-out'];
    expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(expected.map((name) => [name, 'own'])));
  });
});
