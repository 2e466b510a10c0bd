// Builds the command and the library it requires into a folder, as `npm run build` does and in a second: one file each.
import { join } from 'node:path';
import { build } from 'esbuild';
import { bundleCommand } from '../../scripts/bundle-cli.mjs';

const [dist] = process.argv.slice(2);
await build({
  entryPoints: ['src/index.ts'],
  outfile: join(dist, 'index.js'),
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20.3',
  external: ['axios', 'tsyringe', 'reflect-metadata', 'undici', 'qelos-auth/redis'],
  tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
  logLevel: 'warning',
});
await bundleCommand(dist);
