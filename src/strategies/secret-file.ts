import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';

/** More than any token file or log-in holds. */
const MOST_BYTES = 64 * 1024;

/** A file system that does not answer, such as a network share that has gone, must not hold up a sign-in. */
const MOST_MS = 900;

/** Opening a FIFO would wait for its writer, in a thread that many others need; opening a terminal could make it ours. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** Why a file cannot be read, in a word or two that hold nothing of its content. */
export class UnreadableFile extends Error {
  constructor(readonly reason: string) {
    super(`The file cannot be read (${reason}).`);
  }
}

/** Reads that have been given up and still hold a thread: there is never a second one for the same path. */
const pending = new Map<string, Promise<string>>();

/**
 * The text of a small regular file.
 *
 * @throws UnreadableFile (as a rejection, within a second) also if it is a directory, a FIFO, a socket or a device, or if it is
 *   larger than 64 KiB
 */
export async function readSecretFile(path: string): Promise<string> {
  let reading = pending.get(path);
  if (!reading) {
    reading = read(path).finally(() => pending.delete(path));
    pending.set(path, reading);
  }
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new UnreadableFile(`no answer within ${MOST_MS} ms`)), MOST_MS);
  });
  try {
    return await Promise.race([reading, patience]);
  } finally {
    clearTimeout(timer);
  }
}

async function read(path: string): Promise<string> {
  let file: FileHandle | undefined;
  try {
    assertSmallFile(await stat(path)); // before it is opened: that alone does something to some devices
    file = await open(path, OPEN_FLAGS);
    assertSmallFile(await file.stat()); // it may be another one by now
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES + 1), 0, MOST_BYTES + 1, 0);
    return textOf(buffer, bytesRead);
  } catch (error) {
    throw asUnreadable(error);
  } finally {
    await file?.close().catch(() => {});
  }
}

/**
 * The same at once, for where a choice depends on it.
 *
 * @param check - throws UnreadableFile if the file must not be used
 */
export function readSecretFileSync(path: string, check: (stats: Stats) => void): string {
  let file: number | undefined;
  try {
    file = openSync(path, OPEN_FLAGS);
    const stats = fstatSync(file);
    assertSmallFile(stats);
    check(stats);
    const buffer = Buffer.alloc(MOST_BYTES + 1);
    return textOf(buffer, readSync(file, buffer, 0, MOST_BYTES + 1, 0));
  } catch (error) {
    throw asUnreadable(error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function assertSmallFile(stats: Stats): void {
  if (stats.isDirectory()) throw new UnreadableFile('EISDIR');
  if (!stats.isFile()) throw new UnreadableFile('not a regular file');
  if (stats.size > MOST_BYTES) throw new UnreadableFile(`more than ${MOST_BYTES} bytes`);
}

/** A file of `/proc` says that it has no size. */
function textOf(buffer: Buffer, length: number): string {
  if (length > MOST_BYTES) throw new UnreadableFile(`more than ${MOST_BYTES} bytes`);
  return buffer.toString('utf8', 0, length);
}

function asUnreadable(error: unknown): UnreadableFile {
  if (error instanceof UnreadableFile) return error;
  const { code } = error as NodeJS.ErrnoException;
  return new UnreadableFile(code ?? 'unknown error');
}
