// Bundles the command with commander, dotenv and @clack/prompts, so that they are no run-time dependencies of the library.
// The library itself is not in the bundle: the command requires the package's main entry, two folders up.
import { appendFile, chmod, cp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * @param {string} dist - the folder that holds the main entry; the command becomes `cli/main.js` in it
 */
export async function bundleCommand(dist) {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'));
  const outfile = join(dist, 'cli', 'main.js');
  const { metafile } = await build({
    entryPoints: ['src/cli/main.ts'],
    outfile,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20.3',
    external: ['../index', 'axios'],
    define: { PACKAGE_VERSION: JSON.stringify(version) },
    keepNames: true,
    metafile: true,
    logLevel: 'warning',
  });
  // A library module bundled here would be a second copy of its classes.
  const isExpected = (file) => file.startsWith('src/cli/') || file.startsWith('node_modules/');
  const unexpected = Object.keys(metafile.inputs).filter((file) => !isExpected(file));
  if (unexpected.length > 0) throw new Error(`must not be bundled with the command: ${unexpected.join(', ')}`);
  await chmod(outfile, 0o755);
  await cp('template', join(dist, 'cli', 'template'), { recursive: true, filter: isPartOfTemplate });
  return metafile;
}

/** What a contributor who has worked in the template may have left there is not. */
const isPartOfTemplate = (path) => !/[\\/](node_modules|dist|package-lock\.json|\.env)$/.test(path);

/** Adds the licences of the packages in the bundle to those of the SDK. */
async function addLicences(dist, { inputs }) {
  const found = Object.keys(inputs).map((file) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]);
  for (const folder of new Set(found.filter(Boolean))) {
    const { name, version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${name} ships no licence text`);
    const text = await readFile(join(folder, file), 'utf8');
    const heading = `cli/main.js contains ${name} ${version}, which ships this ${file} file:`;
    await appendFile(join(dist, 'THIRD_PARTY_LICENSES.txt'), `\n${heading}\n\n${text}`);
  }
}

if (process.argv[1]?.endsWith('bundle-cli.mjs')) await addLicences('dist', await bundleCommand('dist'));
