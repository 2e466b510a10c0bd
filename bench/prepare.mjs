/**
 * Gets everything in place that is measured: the peers of package.json, this package as npm would publish it, and one
 * bundle of the two that plain Node cannot load (`@qelos/sdk`, `@qelos/plugin-play`).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const kept = join(here, 'node_modules', '.bench');

const npm = (cwd, ...args) =>
  execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error', '--engine-strict=false'], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  });

export async function prepare() {
  const lock = readFileSync(join(here, 'package-lock.json'), 'utf8');
  const marker = join(kept, 'installed');
  if (!existsSync(marker) || readFileSync(marker, 'utf8') !== lock) {
    npm(here, 'ci');
    mkdirSync(kept, { recursive: true });
    await bundle();
    writeFileSync(marker, lock);
  }
  const [{ filename }] = JSON.parse(npm(join(here, '..'), 'pack', '--json', '--silent', '--pack-destination', kept));
  npm(here, 'install', '--no-save', '--no-package-lock', join(kept, filename));
  mkdirSync(kept, { recursive: true });
  writeFileSync(marker, lock);
}

/** As published, they import files without their extension, which only a bundler understands. */
const bundle = () =>
  build({
    stdin: {
      contents: `export { default as QelosAdministratorSDK } from '@qelos/sdk/administrator';
export { getSdkForUrl } from '@qelos/plugin-play/dist/sdk';
export { setConfig } from '@qelos/plugin-play/dist/config';`,
      resolveDir: here,
    },
    outfile: join(kept, 'qelos.cjs'),
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    external: ['undici'],
    logLevel: 'error',
  });
