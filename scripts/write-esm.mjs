// Adds what ES modules need beside the CommonJS output in dist/.
//
// - An entry over each CommonJS entry. There is one implementation, so `import` and `require` share classes and tokens.
// - What hands it the axios that ES modules load, before the implementation is loaded: src/http/axios.ts says why.
// - A copy of each declaration that TypeScript reads as an ES module: axios declares its types once per module system, and
//   an AxiosInstance of the one is not assignable to the other.
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ENTRIES, moduleOf } from './entries.mjs';

const require = createRequire(import.meta.url);

await writeFile(
  'dist/axios.mjs',
  "import axios from 'axios';\nimport core from './http/axios.js';\n\ncore.adoptAxios(axios);\n",
);
for (const entry of ENTRIES.map(moduleOf)) {
  const names = Object.keys(require(`../dist/${entry}.js`)).sort();
  const top = '../'.repeat(entry.split('/').length - 1) || './';
  await writeFile(
    `dist/${entry}.mjs`,
    `import '${top}axios.mjs';\nimport library from './index.js';\n\nexport const {\n  ${names.join(',\n  ')},\n} = library;\n`,
  );
}

// ES module declarations name the file: './errors' becomes './errors.mjs', whose declarations are errors.d.mts.
const relativeImport = /(?<=\b(?:from|import)\s*\(?\s*)(['"])(\.{1,2}\/[^'"]*)\1/g;

for (const file of await readdir('dist', { recursive: true })) {
  if (!file.endsWith('.d.ts')) continue;
  const source = join('dist', file);
  const text = (await readFile(source, 'utf8')).replace(relativeImport, (_, quote, specifier) => {
    const target = join(dirname(source), specifier);
    const found = ['', '/index'].find((suffix) => existsSync(`${target}${suffix}.d.ts`));
    if (found === undefined) throw new Error(`${source} imports ${specifier}, which has no declaration`);
    return `${quote}${specifier}${found}.mjs${quote}`;
  });
  await writeFile(source.replace(/\.d\.ts$/, '.d.mts'), text);
}
