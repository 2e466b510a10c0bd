// One implementation, in CommonJS, so that `import` and `require` share classes and tokens. Writes the ES module entry
// over it, and its declarations: the same text, which TypeScript then reads as an ES module (so axios has its ESM types).
import { copyFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const names = Object.keys(createRequire(import.meta.url)('../dist/index.js')).sort();
await writeFile(
  'dist/index.mjs',
  `import library from './index.js';\n\nexport const { ${names.join(', ')} } = library;\n`,
);
await copyFile('dist/index.d.ts', 'dist/index.d.mts');
