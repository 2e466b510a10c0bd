// Bundles @qelos/sdk, which Node can neither import nor require as published, over the compiled output of the one file
// that uses it.
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { build } from 'esbuild';

const entry = 'src/sdk/qelos-sdk.ts';
const outfile = 'dist/sdk/qelos-sdk.js';

const { metafile } = await build({
  entryPoints: [entry],
  outfile,
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  keepNames: true,
  metafile: true,
  logLevel: 'warning',
});

// A library module bundled here would be a second copy of its classes and tokens.
const isOfTheSdk = (file) => file === entry || file.includes('/@qelos/sdk/dist/');
const unexpected = Object.keys(metafile.inputs).filter((file) => !isOfTheSdk(file));
if (unexpected.length > 0) throw new Error(`must not be bundled with the SDK: ${unexpected.join(', ')}`);

const manifestPath = createRequire(import.meta.url).resolve('@qelos/sdk/package.json');
const { name, version, license } = JSON.parse(await readFile(manifestPath, 'utf8'));
const text = await readFile(manifestPath.replace(/package\.json$/, 'LICENSE'), 'utf8');
await writeFile(
  'dist/THIRD_PARTY_LICENSES.txt',
  `${outfile} contains ${name} ${version} (package.json: "license": "${license}"), which ships this LICENSE file:\n\n${text}`,
);
