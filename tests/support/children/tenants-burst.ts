import { Credential, TenantAuth } from '../../../src';

/**
 * Asks for many cold tenants at once, and says how long that took and how long the longest turn of the event loop was after
 * the one that asked. The network is left out: a turn then holds nothing but work of ours.
 */
async function main(): Promise<void> {
  const { tenants: count, max } = JSON.parse(process.argv[2] as string);
  const pool = new TenantAuth(async () => ({ url: 'https://my.qelos.example' }), {
    max,
    strategies: (_config, id) => [{ name: 'own', missing: () => [], signIn: async () => Credential.apiKey(id) }],
  });
  const names = Array.from({ length: count }, (_, i) => `tenant-${i}`);
  await pool.for('warm');

  const startedAt = performance.now();
  const all = Promise.all(names.map((name) => pool.for(name).then(() => {}))); // lets go of the handles
  const askingMs = Math.round(performance.now() - startedAt);
  let isOver = false;
  all.then(() => {
    isOver = true;
  });
  await new Promise(setImmediate);
  let turns = 1;
  let longest = 0;
  for (let last = performance.now(); !isOver; turns++) {
    await new Promise(setImmediate);
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  const tookMs = Math.round(performance.now() - startedAt);
  console.log(JSON.stringify({ size: pool.size, turns, tookMs, askingMs, longestTurnMs: Math.round(longest) }));
}

main();
