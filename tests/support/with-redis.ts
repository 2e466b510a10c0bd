import { spawnSync } from 'node:child_process';
import { describe } from '@jest/globals';

const isInstalled = spawnSync('redis-server', ['--version']).status === 0;

/** Where Redis is not installed, its tests are skipped, loudly; with `QELOS_TESTS_NEED_REDIS=1` they fail instead. */
export const describeWithRedis: typeof describe | typeof describe.skip =
  isInstalled || process.env['QELOS_TESTS_NEED_REDIS'] === '1' ? describe : skipped();

function skipped(): typeof describe.skip {
  process.stderr.write(
    '\nSKIPPED: tests with a real Redis, as there is no redis-server (Debian: apt-get install redis-server)\n',
  );
  return describe.skip;
}
