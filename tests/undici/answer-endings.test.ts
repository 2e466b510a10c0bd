import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import axios from 'axios';
import { undici } from 'qelos-auth/undici';
import { answerCases, outcomeOf, startAnswerServer } from '../support/answer-endings';
import { runChild } from '../support/child';
import { startRawServer } from '../support/raw-server';

let server: Awaited<ReturnType<typeof startAnswerServer>>;
beforeAll(async () => {
  server = await startAnswerServer();
});
afterAll(() => server.close());

describe('S15: however an answer ends', () => {
  it('no exception is left uncaught', async () => {
    const { code, stderr, stdout } = await runChild('answer-endings.ts', {});
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ calls: answerCases.length, hung: 0 });
  }, 60_000);

  it.each(answerCases)('$content, $framing, $ending, $size bytes, $reader reader: as over Node', async (answer) => {
    const ofNode = await outcomeOf(server.url, answer, {});
    const ofUndici = await outcomeOf(server.url, answer, { transport: undici() });
    if (!answer.ending.endsWith('cut short')) expect(ofNode).toBe('whole');
    expect(ofUndici).toBe(ofNode);
  });
});

it('S01: a stream that nobody listens to ends no process, and fails whoever reads it later', async () => {
  const run = async (isOverNode: boolean) => {
    const { code, stderr, stdout } = await runChild('unread-streams.ts', { isOverNode });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout);
  };
  const [ofNode, ofUndici] = await Promise.all([run(true), run(false)]);
  expect(ofNode).toMatchObject({ '200, reset': 'ECONNRESET', '404, cut': 'ECONNRESET' });
  expect(ofUndici).toEqual(ofNode);
}, 60_000);

it('S15: a connection that is reset after a whole answer loses nothing of it', async () => {
  const body = 'b'.repeat(100_000);
  let whenReset = () => {};
  const reset = new Promise<void>((resolve) => {
    whenReset = resolve;
  });
  const { url } = await startRawServer((socket) =>
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`, () => {
      setTimeout(() => socket.resetAndDestroy(), 30).unref();
      socket.once('close', whenReset);
    }),
  );
  const transport = undici();
  const { data } = await axios.get(url, { maxRedirects: 0, proxy: false, responseType: 'stream', transport });
  await reset;
  for (let i = 0; i < 20; i++) await new Promise(setImmediate); // it has arrived
  const chunks: Buffer[] = [];
  for await (const chunk of data) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe(body);
});
