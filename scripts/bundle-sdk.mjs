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
  keepNames: true,
  metafile: true,
  logLevel: 'warning',
});

// A library module bundled here would be a second copy of its classes and tokens.
const isOfTheSdk = (file) => file === entry || file.includes('/@qelos/sdk/dist/');
const unexpected = Object.keys(metafile.inputs).filter((file) => !isOfTheSdk(file));
if (unexpected.length > 0) throw new Error(`must not be bundled with the SDK: ${unexpected.join(', ')}`);

// Its manifest names another licence than the file it ships. Which of them holds is its authors' to say: both go along.
const manifestPath = createRequire(import.meta.url).resolve('@qelos/sdk/package.json');
const { name, version, license, author } = JSON.parse(await readFile(manifestPath, 'utf8'));
if (license !== 'MIT') throw new Error(`${name} ${version} is under ${license}: its text has to go along`);
const shipped = await readFile(manifestPath.replace(/package\.json$/, 'LICENSE'), 'utf8');
const holder = author?.name ?? author ?? `the authors of ${name}`;
const mit = (await readFile('LICENSE', 'utf8')).replace(/^Copyright .*$/m, `Copyright (c) ${holder}`);
await writeFile(
  'dist/THIRD_PARTY_LICENSES.txt',
  `${outfile.replace('dist/', '')} contains ${name} ${version}. Its package.json says "license": "${license}", which is this text:\n\n${mit}
The LICENSE file that it ships is another one:\n\n${shipped}`,
);
