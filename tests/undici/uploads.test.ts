import http, { type RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import axios from 'axios';
import { undici } from 'qelos-auth/undici';
import { createQelosAuth } from '../../src';
import { listen, sendJson } from '../support/backend';
import { leaks } from '../support/secrets';
import { whenDone } from '../support/when-done';

const settings = { maxRedirects: 0, proxy: false, validateStatus: null } as const;
const PIECE = Buffer.alloc(50_000, 'u');
const PIECES = 40;

async function start(listener: RequestListener): Promise<string> {
  const server = http.createServer(listener);
  const port = await listen(server);
  whenDone(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${port}`;
}

/** The second half of the upload comes when its answer has ended. */
function halves(): { data: Readable; goOn: () => void } {
  let goOn = () => {};
  const answered = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const data = Readable.from(
    (async function* () {
      for (let i = 0; i < PIECES; i++) {
        if (i === PIECES / 2) await answered;
        yield PIECE;
      }
    })(),
  );
  return { data, goOn };
}

/** A server that answers as soon as it is asked, then reads on. */
async function startHasty(): Promise<{ url: string; received: Promise<number | string> }> {
  let receive: (bytes: number | string) => void;
  const received = new Promise<number | string>((resolve) => {
    receive = resolve;
  });
  const url = await start((request, response) => {
    let bytes = 0;
    request.on('data', (chunk) => (bytes += chunk.length));
    request.on('end', () => receive(bytes)).on('error', ({ message }) => receive(message));
    response.writeHead(202, { 'content-length': 2 }).end('ok');
  });
  return { url, received };
}

describe('S15: an upload whose answer ends first', () => {
  it('in pieces arrives as a whole', async () => {
    const { url, received } = await startHasty();
    const { data, goOn } = halves();
    const response = await axios.post(url, data, { ...settings, transport: undici() });
    expect([response.status, response.data]).toEqual([202, 'ok']);
    goOn();
    expect(await received).toBe(PIECES * PIECE.length);
  });

  it('in one piece arrives as a whole', async () => {
    const { url, received } = await startHasty();
    const data = Buffer.alloc(5_000_000, 'u');
    const response = await axios.post(url, data, { ...settings, transport: undici() });
    expect([response.status, response.data]).toEqual([202, 'ok']);
    expect(await received).toBe(data.length);
  });
});

describe('an upload in pieces', () => {
  it('is no faster than its server', async () => {
    let pulled = 0;
    const url = await start((request) => request.pause());
    const data = Readable.from(
      (function* () {
        for (; pulled < 1_000; pulled++) yield PIECE;
      })(),
    );
    const controller = new AbortController();
    const call = axios.post(url, data, { ...settings, transport: undici(), signal: controller.signal });
    // Until nothing more has been pulled for many turns of the event loop, which client and server share.
    for (let seen = -1, quiet = 0; quiet < 1_000; quiet++) {
      if (pulled > seen) quiet = 0;
      seen = pulled;
      await new Promise(setImmediate);
    }
    expect(pulled).toBeLessThan(500);
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'ERR_CANCELED' });
  });

  it('of more bytes than it announced sends those that it announced', async () => {
    const bodies: string[] = [];
    const url = await start(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      bodies.push(body);
      response.end('ok');
    });
    const post = (data: unknown, headers: Record<string, string>) =>
      axios.post(url, data, { ...settings, transport: undici(), headers });
    const smuggled = Readable.from([Buffer.from('four'), Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n')]);
    expect((await post(smuggled, { 'content-length': '4' })).data).toBe('ok');
    expect((await post('next', {})).data).toBe('ok');
    expect(bodies).toEqual(['four', 'next']);
  });

  it.each([200, 413, 500])('S02: leads to no secret when %s comes before it has ended', async (status) => {
    const apiToken = `ql_${'5ec2e7'.repeat(10)}`;
    const url = await start((request, response) => {
      if (request.method === 'GET') sendJson(response, 200, { _id: '65f0c0ffee65f0c0ffee65f0', username: 'someone' });
      else response.writeHead(status, { 'content-length': 2 }).end('no');
    });
    const auth = createQelosAuth({ env: {}, config: { url, apiToken }, transport: undici() });
    whenDone(() => auth.close());
    const { data, goOn } = halves();
    whenDone(goOn);
    const outcome = await auth.http.post('/api/upload', data).catch((error: unknown) => error);
    expect(outcome).toMatchObject(status === 200 ? { status } : { response: { status } });
    expect(outcome).toHaveProperty('config.data', data);
    expect(leaks(outcome, [apiToken])).toEqual([]);
    expect(leaks(data, [apiToken])).toEqual([]);
  });
});
