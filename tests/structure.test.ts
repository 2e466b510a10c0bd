import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = join(__dirname, '..');
const SRC = join(ROOT, 'src');

/** Every source file by its path below `src`, with slashes. */
const sources = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => {
    const path = join(entry.parentPath, entry.name);
    return { name: relative(SRC, path).split(sep).join('/'), text: readFileSync(path, 'utf8') };
  });

const namesWhere = (matches: (text: string) => boolean) =>
  sources
    .filter(({ text }) => matches(text))
    .map(({ name }) => name)
    .sort();

test('no file of src is longer than 300 lines', () => {
  expect(sources.length).toBeGreaterThan(50);
  expect(namesWhere((text) => text.trimEnd().split('\n').length > 300)).toEqual([]);
});

test('the container is the only file that registers in a container', () => {
  expect(namesWhere((text) => /\buse(?:Class|Factory|Value|Token):/.test(text))).toEqual(['container.ts']);
});

test('nothing but sdk/ imports @qelos/sdk', () => {
  const importers = namesWhere((text) => /(?:from|import|require)\s*\(?\s*'@qelos\/sdk/.test(text));
  expect(importers.length).toBeGreaterThan(0);
  expect(importers.filter((name) => !name.startsWith('sdk/'))).toEqual([]);
});

test('the list of built-in strategies stands in one file of the library', () => {
  const listing = namesWhere((text) =>
    ['ApiTokenStrategy', 'OAuthRefreshStrategy'].every((name) => new RegExp(`import .*\\b${name}\\b`).test(text)),
  );
  expect(listing).toEqual(['strategies/built-in.ts']);
  expect(namesWhere((text) => /\bnew (?:ApiToken|OAuthRefresh|Session|CliLogin)\w*Strategy\(/.test(text))).toEqual([]);
});

test('package.json exports the entries of scripts/entries.mjs', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/entries.mjs', '--check'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('the main entry imports no other one', () => {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { exports: object };
  const folders = Object.keys(exports).flatMap((name) => /^\.\/([\w/-]+)$/.exec(name)?.[1] ?? []);
  expect(folders).toEqual(expect.arrayContaining(['plugin-play', 'testing', 'undici']));
  const own = [...folders, 'cli'];
  const importers = sources
    .filter(({ name }) => !own.some((folder) => name.startsWith(`${folder}/`)))
    .filter(({ text }) => own.some((folder) => new RegExp(`'\\.{1,2}/(?:[^']*/)?${folder}(?:/[^']*)?'`).test(text)));
  expect(importers.map(({ name }) => name)).toEqual([]);
});

test('the library takes axios from http/axios.ts, which knows that of the plugin; and types from anywhere', () => {
  const importers = namesWhere((text) => /^import (?!type )[^;]*from 'axios'|require\('axios'\)/m.test(text));
  // The command is a program of its own.
  expect(importers.filter((name) => !name.startsWith('cli/'))).toEqual(['http/axios.ts']);
});
