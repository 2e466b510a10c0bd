import { createQelosAuth } from '../../../src';

/** Signs in at a good server and at a bad one; says by how much the second raised the most memory ever used. */
async function main(): Promise<void> {
  const { good, bad, adapter } = JSON.parse(process.argv[2] as string);
  const options = { env: {}, axios: { adapter } };
  for (let i = 0; i < 20; i++) await createQelosAuth({ ...options, config: good }).signIn();
  globalThis.gc?.();
  const before = process.resourceUsage().maxRSS;
  const begun = performance.now();
  const code = await createQelosAuth({ ...options, config: bad })
    .signIn()
    .then(String, (error) => error.code ?? String(error));
  const ms = Math.round(performance.now() - begun);
  console.log(JSON.stringify({ code, ms, grownKiB: process.resourceUsage().maxRSS - before }));
  process.exit();
}

main();
