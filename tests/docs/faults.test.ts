import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = resolve(__dirname, '../..');

/** Every id that stands in the catalogue, in its order. */
const catalogued = [
  ...new Set(
    [...readFileSync(join(ROOT, 'docs/faults.md'), 'utf8').matchAll(/^\| ([FSW]\d\d)\b/gm)].map(([, id]) => id),
  ),
];

const TESTS = readdirSync(join(ROOT, 'tests'), { recursive: true })
  .map((file) => `tests/${file}`)
  .filter((file) => file.endsWith('.test.ts') && !file.startsWith('tests/conformance/')); // its rows have letters of their own

/** Every id that the name of a test or of a group of tests cites, those of the consumer run included. */
const cited = new Set(
  [...TESTS, 'scripts/check-consumers.mjs']
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .flatMap((text) => [...text.matchAll(/['"`](?=[^'"`\n]*\b[FSW]\d\d\b)([^'"`\n]+)/g)])
    .flatMap(([, name = '']) => name.match(/\b[FSW]\d\d\b/g) ?? []),
);

test('the catalogue is found', () => {
  expect(catalogued.length).toBeGreaterThan(60);
});

test.each(catalogued)('%s of docs/faults.md is cited by a test', (id) => {
  expect(cited).toContain(id);
});

test('no test cites a fault that the catalogue does not have', () => {
  expect([...cited].filter((id) => !catalogued.includes(id)).sort()).toEqual([]);
});
