/** Has eight instances read their token from one FIFO that nobody writes to: more than the thread pool has threads. */
import { readFile } from 'node:fs/promises';
import { createQelosAuth, isAuthError } from '../../../src';

const { path } = JSON.parse(process.argv[2] ?? '{}') as { path: string };

async function main(): Promise<void> {
  const config = { url: 'http://127.0.0.1:9', apiTokenFile: path };
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, () =>
      createQelosAuth({ env: {}, config })
        .signIn()
        .then(
          () => 'signed in',
          (error) => (isAuthError(error) ? error.code : String(error)),
        ),
    ),
  );
  await readFile(__filename);
  console.log(`${outcomes.length} × ${[...new Set(outcomes)].join()}, and a file was read`);
}

void main();
