import { randomBytes } from 'node:crypto';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import axios, { type AxiosRequestConfig } from 'axios';

/** How an answer is sent, how it ends, and how it is read. */
export interface AnswerCase {
  readonly content: 'plain' | 'gzip';
  readonly framing: (typeof FRAMINGS)[number];
  readonly ending: (typeof ENDINGS)[number];
  /** Bytes before they are compressed; they hardly get fewer. */
  readonly size: number;
  readonly reader: 'fast' | 'slow';
}

const FRAMINGS = ['length', 'chunked', 'until closed'] as const;
/**
 * `keep-alive`: the connection stays open. `close`: it is announced that it won't, and it doesn't. `idle close`: it is
 * closed without a word after all has been sent. `cut short`: half-way; `last cut short`: where it was to be the last answer.
 */
const ENDINGS = ['keep-alive', 'close', 'idle close', 'cut short', 'last cut short'] as const;
const SIZES = [200, 20_000, 100_000, 1_000_000];

/** All of them that make sense: what ends with its connection cannot keep it. */
export const answerCases: readonly AnswerCase[] = (['plain', 'gzip'] as const)
  .flatMap((content) => FRAMINGS.map((framing) => ({ content, framing })))
  .flatMap((known) => ENDINGS.map((ending) => ({ ...known, ending })))
  .filter(({ framing, ending }) => framing !== 'until closed' || ending !== 'keep-alive')
  .flatMap((known) => SIZES.map((size) => ({ ...known, size })))
  .flatMap((known) => (['fast', 'slow'] as const).map((reader) => ({ ...known, reader })));

const bodies = new Map(SIZES.map((size) => [size, randomBytes(size)]));

/** The bytes on the wire, in the order in which they are sent. */
function bytesOf({ content, framing, ending, size }: AnswerCase): Buffer {
  const plain = bodies.get(size) as Buffer;
  const body = content === 'gzip' ? gzipSync(plain, { level: 1 }) : plain;
  const isCut = ending.endsWith('cut short');
  const sent = isCut ? body.subarray(0, body.length / 2) : body;
  const head = [
    'HTTP/1.1 200 OK',
    ...(content === 'gzip' ? ['content-encoding: gzip'] : []),
    ...(framing === 'length' ? [`content-length: ${body.length}`] : []),
    ...(framing === 'chunked' ? ['transfer-encoding: chunked'] : []),
    ...(ending === 'close' || ending === 'last cut short' ? ['connection: close'] : []),
  ];
  const parts: (string | Buffer)[] = [`${head.join('\r\n')}\r\n\r\n`];
  if (framing !== 'chunked') parts.push(sent);
  else {
    for (let at = 0; at < sent.length; at += 7_000) {
      const chunk = sent.subarray(at, at + 7_000);
      parts.push(`${chunk.length.toString(16)}\r\n`, chunk, '\r\n');
    }
    if (!isCut) parts.push('0\r\n\r\n');
  }
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

/** A server that answers `/<number>` as the case of that number has it. */
export async function startAnswerServer(): Promise<{ url: string; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const answer = answerCases[Number(/ \/(\d+)/.exec(data.toString())?.[1])];
      if (!answer) return;
      const bytes = bytesOf(answer);
      if (answer.ending === 'keep-alive') socket.write(bytes);
      else socket.end(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
};

async function readSlowly(stream: Readable): Promise<Buffer> {
  await turns(10); // by now all has arrived that does not wait for its reader
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
    await turns(2);
  }
  return Buffer.concat(chunks);
}

/** What became of a call, in plain data, so that two ways can be held against each other. */
export async function outcomeOf(url: string, answer: AnswerCase, config: AxiosRequestConfig): Promise<string> {
  const call = async () => {
    const { data } = await axios.get(`${url}/${answerCases.indexOf(answer)}`, {
      maxRedirects: 0,
      proxy: false,
      responseType: answer.reader === 'slow' ? 'stream' : 'arraybuffer',
      ...config,
    });
    const body = data instanceof Readable ? await readSlowly(data) : data;
    return body.equals(bodies.get(answer.size)) ? 'whole' : 'another body';
  };
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, 10_000, 'hung');
  });
  const settled = call().catch(({ code, message }) => `${code}: ${message}`);
  return Promise.race([settled, hung]).finally(() => clearTimeout(timer));
}
