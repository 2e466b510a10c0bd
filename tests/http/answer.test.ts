import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, jest } from '@jest/globals';
import { AxiosHeaders, type AxiosResponse, type InternalAxiosRequestConfig } from 'axios';
import { answerOf, discard } from '../../src/http/answer';

const body = { message: 'you are not privileged.' };
const text = JSON.stringify(body);

function answered(data: unknown, headers: Record<string, string> = {}): AxiosResponse {
  const config = { headers: new AxiosHeaders() } as InternalAxiosRequestConfig;
  return { status: 401, statusText: '', headers, data, config };
}

/** A buffer that is a part of a longer one, as those of node's pool are. */
const part = () => Buffer.from(`before${text}after`).subarray(6, 6 + text.length);

describe('what an answer says', () => {
  it.each<[string, () => unknown]>([
    ['text', () => text],
    ['parsed JSON', () => body],
    ['an ArrayBuffer', () => new TextEncoder().encode(text).buffer],
    ['a Buffer', part],
    ['a stream of node', () => Readable.from([part().subarray(0, 5), part().subarray(5)])],
    ['a stream of the web', () => new Blob([text]).stream()],
  ])('is read from %s', async (_name, data) => {
    const answer = await answerOf(answered(data(), { 'X-Reason': 'role' }));
    expect(answer).toEqual({ status: 401, headers: { 'x-reason': 'role' }, data: body });
  });

  it.each(['no JSON', ''])('is the text where it is no JSON: "%s"', async (data) => {
    expect(await answerOf(answered(data))).toMatchObject({ data });
  });

  it('may be nothing', async () => {
    expect(await answerOf(answered(undefined))).toMatchObject({ data: undefined });
  });
});

describe('a stream that was read ahead', () => {
  const chunk = Buffer.alloc(16 * 1024, 'x');

  it('is of the kind it was, and whole', async () => {
    const node = answered(Readable.from([Buffer.from('{'), Buffer.from('}')]));
    await answerOf(node);
    expect(node.data).toBeInstanceOf(Readable);
    expect(node.data.readableObjectMode).toBe(false);
    expect((await buffer(node.data)).toString()).toBe('{}');
    const web = answered(new Blob([text]).stream());
    await answerOf(web);
    expect(web.data).toBeInstanceOf(ReadableStream);
    expect((await buffer(web.data)).toString()).toBe(text);
  });

  it('is read no further than just beyond 64 KiB, and not lost where it is longer', async () => {
    let read = 0;
    async function* long() {
      for (; read < 20; read++) yield chunk;
    }
    const response = answered(Readable.from(long(), { objectMode: true, highWaterMark: 1 }));
    const { data } = await answerOf(response);
    expect(String(data).length).toBe(5 * chunk.length);
    expect(read).toBeLessThan(10);
    expect((await buffer(response.data)).length).toBe(20 * chunk.length);
  });

  it('breaks off for the caller where it broke off, after what had come', async () => {
    async function* broken() {
      yield chunk;
      throw new RangeError('broke off');
    }
    const response = answered(Readable.from(broken()));
    expect(String((await answerOf(response)).data)).toBe(chunk.toString());
    const got: Buffer[] = [];
    await expect(
      (async () => {
        for await (const piece of response.data) got.push(piece);
      })(),
    ).rejects.toThrow('broke off');
    expect(Buffer.concat(got)).toEqual(chunk);
  });
});

describe('an answer that nobody will read', () => {
  const stream = () => Readable.from([Buffer.from('x')]);

  it.each([0, 64 * 1024])('is read to its end where it has %i bytes: the connection serves again', async (length) => {
    const data = stream();
    discard(answered(data, { 'content-length': String(length) }));
    await once(data, 'end');
  });

  it.each<Record<string, string>>([{ 'content-length': String(64 * 1024 + 1) }, {}])('is cut off: %j', (headers) => {
    const data = stream();
    discard(answered(data, headers));
    expect(data.destroyed).toBe(true);
  });

  it('may come from an adapter that gives no headers', () => {
    const data = stream();
    discard({ ...answered(data), headers: undefined as never });
    expect(data.destroyed).toBe(true);
  });

  it('may still fail: that is nobody’s business', async () => {
    const data = stream();
    discard(answered(data, { 'content-length': '1' }));
    data.destroy(new Error('reset'));
    await new Promise((resolve) => data.on('close', resolve));
  });

  it('is cancelled where it is a stream of the web', () => {
    const cancel = jest.fn(() => {});
    discard(answered(new ReadableStream({ cancel })));
    expect(cancel).toHaveBeenCalledTimes(1);
  });

  it.each([undefined, null, text, body])('needs nothing where it is %j', (data) => {
    expect(() => discard(answered(data))).not.toThrow();
  });
});
