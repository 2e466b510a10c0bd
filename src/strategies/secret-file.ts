import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';

/** More than any file with a secret in it has: a token, or the log-in of a command line. */
const MAX_BYTES = 64 * 1024;

/** Opening a FIFO to read waits for whoever writes, in a thread that nothing else gets; unless it is told not to. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** Why a file is not one to take a secret from. */
class UnfitFile extends Error {}

/**
 * The text of a small regular file. A FIFO, a device, a directory and whatever is larger than 64 KiB is not read at all.
 *
 * @throws what {@link reasonOf} has words for
 */
export async function readSecretFile(path: string): Promise<string> {
  const file = await open(path, READ);
  try {
    assertFit(await file.stat());
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    let size = 0;
    for (let read = -1; read !== 0 && size < buffer.length; size += read) {
      ({ bytesRead: read } = await file.read(buffer, size, buffer.length - size, size));
    }
    return textOf(buffer, size);
  } finally {
    await file.close();
  }
}

/**
 * The same at once, for what has to be known before anything can wait.
 *
 * @param fault - what else is wrong with the file, in words of the caller's; undefined if nothing is
 * @returns the text, or `fault` and no text
 * @throws what {@link reasonOf} has words for
 */
export function readSecretFileSync(
  path: string,
  fault: (stats: Stats) => string | undefined,
): { text: string; fault?: never } | { fault: string; text?: never } {
  const file = openSync(path, READ);
  try {
    const stats = fstatSync(file);
    assertFit(stats);
    const found = fault(stats);
    if (found !== undefined) return { fault: found };
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    let size = 0;
    for (let read = -1; read !== 0 && size < buffer.length; size += read) {
      read = readSync(file, buffer, size, buffer.length - size, size);
    }
    return { text: textOf(buffer, size) };
  } finally {
    closeSync(file);
  }
}

function assertFit(stats: Stats): void {
  if (!stats.isFile()) throw new UnfitFile(stats.isDirectory() ? 'EISDIR' : 'not a regular file');
  assertSize(stats.size);
}

function textOf(buffer: Buffer, size: number): string {
  assertSize(size);
  return buffer.toString('utf8', 0, size);
}

function assertSize(size: number): void {
  if (size > MAX_BYTES) throw new UnfitFile(`larger than ${MAX_BYTES / 1024} KiB`);
}

/** Why a file could not be read, in a word or two: a code of the operating system, or why it was not tried. */
export function reasonOf(error: unknown): string {
  return error instanceof UnfitFile ? error.message : ((error as NodeJS.ErrnoException).code ?? 'unknown error');
}
