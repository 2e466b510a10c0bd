import { createQelosAuth } from '../../../src';

/**
 * Calls once with a fresh credential, then in the soft window of its life (where a refresh begins in the background), says
 * what happened, and has nothing more to do.
 */
async function main(): Promise<void> {
  process.on('unhandledRejection', (reason) => {
    console.error('unhandled rejection', reason);
    process.exitCode = 70;
  });
  Math.random = () => 0; // the soft window begins as early as it can: a late one may leave nothing before the hard window
  const { config, way, lifeMs } = JSON.parse(process.argv[2] as string);
  const auth = createQelosAuth({ env: {}, config });
  const failures: string[] = [];
  auth.on('refreshFailed', ({ code }) => failures.push(code));
  process.on('exit', () => console.log(JSON.stringify({ statuses, failures, seconds: process.uptime() })));
  const statuses: number[] = [];
  const call = async () => {
    if (way === 'http') statuses.push((await auth.http.get('/api/me')).status);
    else if (way === 'fetch') {
      const response = await auth.fetch('/api/me');
      await response.text();
      statuses.push(response.status);
    } else statuses.push((await auth.sdk.authentication.getLoggedInUser()) ? 200 : 0);
  };
  await call();
  if (!lifeMs) return;
  const now = performance.now.bind(performance);
  performance.now = () => now() + lifeMs - 10_500;
  await call();
  await call();
}

main();
