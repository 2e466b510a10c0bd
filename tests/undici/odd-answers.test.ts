import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import axios, { type AxiosRequestConfig } from 'axios';
import { undici } from 'qelos-auth/undici';
import { startRawServer } from '../support/raw-server';

const settings = { maxRedirects: 0, proxy: false, validateStatus: null, timeout: 5_000 } as const;
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n';

/** What became of a call to a server that sends these pieces, one after the other, to whatever it is asked. */
async function outcomeOf(pieces: readonly string[], config: AxiosRequestConfig): Promise<unknown> {
  const answer = async (socket: Socket) => {
    for (const piece of pieces) {
      await new Promise((resolve) => socket.write(piece, resolve));
      await new Promise(setImmediate); // so that each arrives by itself
    }
  };
  const { url } = await startRawServer(answer);
  try {
    const { status, headers, data } = await axios.request({ ...settings, url, ...config });
    if (!(data instanceof Readable)) return { status, headers: { ...headers }, data };
    const chunks: Buffer[] = [];
    for await (const chunk of data) chunks.push(chunk);
    return { status, headers: { ...headers }, data: Buffer.concat(chunks).toString() };
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { code, message };
  }
}

describe('S15: taken over undici as over Node', () => {
  const ok = { status: 200, data: 'ok' };
  it.each<[string, readonly string[], object, AxiosRequestConfig?]>([
    ['a 304 with a length', ['HTTP/1.1 304 Not Modified\r\ncontent-length: 1000\r\n\r\n'], { status: 304, data: '' }],
    [
      'a 304 with a length, as a stream',
      ['HTTP/1.1 304 Not Modified\r\ncontent-length: 1000\r\n\r\n'],
      { status: 304, data: '' },
      { responseType: 'stream' },
    ],
    ['a 204 with a length', ['HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n'], { status: 204, data: '' }],
    ['a 100 that nobody asked for', [CONTINUE + OK], ok],
    ['many of them, with hints between', [CONTINUE + HINTS + CONTINUE + CONTINUE + OK], ok],
    ['a 100 in a packet of its own', [CONTINUE, OK], ok],
    ['a 100 byte by byte', [...CONTINUE, OK], ok],
    ['a 100 with headers, in two packets', ['HTTP/1.1 100 Continue\r\nx: ', 'y\r\nz: 1\r\n\r', `\n${OK}`], ok],
    ['an answer byte by byte', [...OK], ok],
    ['a 100 that is none', [`HTTP/1.1 100 Continue\n\n${OK}`], { code: 'HPE_CR_EXPECTED' }],
    ['a 199', [`HTTP/1.1 199 Odd\r\n\r\n${OK}`], ok],
    [
      'headers that are called like members of every object',
      [OK.replace('content-length', 'constructor: a\r\n__proto__: b\r\ntoString: c\r\ntoString: d\r\ncontent-length')],
      { headers: expect.objectContaining({ tostring: 'c, d' }) },
    ],
    ['an upgrade that is only offered', [OK.replace('content', 'connection: upgrade\r\nupgrade: h2c\r\ncontent')], ok],
    ['trailers', ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n'], ok],
  ])('%s', async (_name, pieces, outcome, config = {}) => {
    const ofNode = await outcomeOf(pieces, config);
    const ofUndici = await outcomeOf(pieces, { ...config, transport: undici() });
    expect(ofNode).toMatchObject(outcome);
    expect(ofUndici).toEqual(ofNode);
  });

  it.each([
    ['longer than announced', { data: 'abcdef', headers: { 'content-length': '3' } }],
    ['shorter than announced', { data: 'abc', headers: { 'content-length': '10' } }],
    ['announced and not there', { headers: { 'content-length': '10' } }],
    ['announced in words', { data: 'abc', headers: { 'content-length': 'three' } }],
  ])('S20: a body that is %s', async (_name, config) => {
    const ofNode = await outcomeOf([OK], { method: 'post', ...config });
    expect(ofNode).toMatchObject(ok);
    const transport = undici();
    expect(await outcomeOf([OK], { method: 'post', ...config, transport })).toEqual(ofNode);
  });
});

describe('S15: over undici', () => {
  it.each([
    ['with an upgrade, of which Node never tells', 'connection: upgrade\r\nupgrade: websocket\r\n'],
    ['without one', ''],
  ])('a 101 that nobody asked for, %s, fails at once and says so', async (_name, headers) => {
    const pieces = [`HTTP/1.1 101 Switching Protocols\r\n${headers}\r\n`];
    expect(await outcomeOf(pieces, { transport: undici() })).toEqual({
      code: 'ECONNRESET',
      message: 'The server answered 101 Switching Protocols, which nobody asked it for.',
    });
  });

  it('a head that is malformed is no lost connection', async () => {
    const pieces = [OK.replace('content', 'content-length: 2\r\ncontent')];
    const outcome = await outcomeOf(pieces, { transport: undici() });
    expect(outcome).toEqual({ code: 'ERR_BAD_RESPONSE', message: 'Parse Error: Invalid head' });
  });

  it('a 100 without end is no answer', async () => {
    const pieces = [`HTTP/1.1 100 Continue\r\nx-long: ${'a'.repeat(40_000)}`];
    const outcome = await outcomeOf(pieces, { transport: undici() });
    expect(outcome).toMatchObject({ code: 'HPE_HEADER_OVERFLOW' });
  });

  it('each answer of a connection may have a 100 before it', async () => {
    const { url, connections } = await startRawServer((socket) => socket.write(CONTINUE + OK));
    const transport = undici();
    for (let i = 0; i < 5; i++) expect((await axios.get(url, { ...settings, transport })).data).toBe('ok');
    expect(connections()).toBeLessThanOrEqual(2);
  });
});
