import { fileCredentialStore } from '../../../src/file';

/** Takes a lock, and ends without letting go of it. */
const { path, key } = JSON.parse(process.argv[2] ?? '');
const { signal } = new AbortController();
fileCredentialStore({ path })
  .lock?.(key, { signal, owner: 'gone', leaseMs: 60_000 })
  .then((isLocked) => {
    console.log(isLocked);
    process.kill(process.pid, 'SIGKILL');
  });
