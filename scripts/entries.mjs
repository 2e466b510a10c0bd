// What the package exports: the one list that the build, the API reports and package.json follow.
//
// To add an entry, write src/<name>/index.ts, add '<name>' to ENTRIES, and run
//
//   npm run update:entries                       # `exports` and `typesVersions` of package.json
//   npm run build && npm run update:api          # etc/qelos-auth-<name>.api.md
//
// Nothing else knows entries by name: tests and examples import 'qelos-auth/<name>' from src/<name>/index.ts. What an entry
// needs besides our own dependencies is an optional peer (`peerDependencies` and `peerDependenciesMeta`), loaded when the
// entry is; the main entry imports no other one.
import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

/** Entries by their names below the package's; '' is the package itself. */
export const ENTRIES = ['', 'testing', 'undici', 'plugin-play', 'redis', 'file'];

/** An entry's module below dist/ and src/, without extension. */
export const moduleOf = (entry) => (entry === '' ? 'index' : `${entry}/index`);

/** The name that an entry has in package.json and in `import`. */
const subpathOf = (entry) => (entry === '' ? '.' : `./${entry}`);

/** A manifest as it has to be for these entries. */
function withEntries(manifest) {
  const files = (entry, format) => ({
    types: `./dist/${moduleOf(entry)}.d.${format}ts`,
    default: `./dist/${moduleOf(entry)}.${format}js`,
  });
  const conditions = (entry) => ({ import: files(entry, 'm'), require: files(entry, '') });
  return {
    ...manifest,
    exports: {
      ...Object.fromEntries(ENTRIES.map((entry) => [subpathOf(entry), conditions(entry)])),
      './package.json': './package.json',
    },
    // For `moduleResolution: node10`, which does not read `exports`.
    typesVersions: {
      '*': Object.fromEntries(ENTRIES.filter(Boolean).map((entry) => [entry, [`./dist/${moduleOf(entry)}.d.ts`]])),
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const found = await readFile('package.json', 'utf8');
  const wanted = `${JSON.stringify(withEntries(JSON.parse(found)), null, 2)}\n`;
  if (!process.argv.includes('--check')) await writeFile('package.json', wanted);
  else if (found !== wanted) {
    console.error('package.json does not export the entries of scripts/entries.mjs: npm run update:entries');
    process.exitCode = 1;
  }
}
