import { readFile } from 'node:fs/promises';
import { readSecretFile } from '../../../src/strategies/secret-file';

/** Reads a file that may never answer more often than there are threads, then another one; must end by itself. */
const { path } = JSON.parse(process.argv[2] as string) as { path: string };

void (async () => {
  const reads = await Promise.allSettled(Array.from({ length: 16 }, () => readSecretFile(path)));
  const read = reads.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const other = (await readFile(__filename, 'utf8')) === '' ? 'empty' : 'read';
  console.log(JSON.stringify({ read: [...new Set(read)], other }));
})();
