import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = resolve(__dirname, '../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const FILES = [
  'README.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  'examples/strategies/README.md',
  ...readdirSync(join(ROOT, 'examples/strategies'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `examples/strategies/${name}/README.md`),
];

/** The members of a union of string literals in a source file. */
function membersOf(type: string, file: string): string[] {
  const [, union = ''] = new RegExp(`export type ${type} =([\\s\\S]*?);\\n`).exec(read(file)) ?? [];
  return [...union.matchAll(/'(\w+)'/g)].map(([, name = '']) => name);
}

/** The keys by which a file's headings are linked to, as GitHub makes them. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

/** What follows a heading, up to the next one. */
function sectionOf(markdown: string, title: string): string {
  const [, rest = ''] = markdown.split(`\n## ${title}\n`);
  return rest.split('\n## ')[0] ?? '';
}

const CODES = membersOf('AuthErrorCode', 'src/contract/auth-error.ts');
const AUTH_CODES = membersOf('ApiAuthCode', 'src/qelos/refusal.ts');

test('the codes are found in the source', () => {
  expect(CODES).toContain('ERR_AUTH_CONFIG');
  expect(AUTH_CODES).toContain('ERR_AUTH_FORBIDDEN');
});

test.each(CODES)('%s has a row in the README and a section in docs/errors.md', (code) => {
  expect(read('README.md')).toMatch(new RegExp(`^\\| \`${code}\` \\|`, 'm'));
  expect(sectionOf(read('docs/errors.md'), 'AuthError')).toContain(`### ${code}\n`);
});

test.each(AUTH_CODES)('the authCode %s has a row in the README and a section in docs/errors.md', (code) => {
  expect(sectionOf(read('README.md'), 'Errors')).toMatch(new RegExp(`\\| \`${code}\` \\|`));
  expect(sectionOf(read('docs/errors.md'), 'authCode of an answer of the API')).toContain(`### ${code}`);
});

test('the README lists every variable that is read, and no other', () => {
  const variables = (text: string) => [...new Set(text.match(/\bQELOS_[A-Z_]+\b/g))].sort();
  const ofTheLibrary = variables(read('src/config.ts'));
  expect(variables(sectionOf(read('README.md'), 'Environment'))).toEqual(ofTheLibrary);
});

test('docs/operations.md lists every event', () => {
  const [, events = ''] = /interface AuthEvents \{([\s\S]*?)\n\}/.exec(read('src/events.ts')) ?? [];
  const names = [...events.matchAll(/^ {2}(\w+): \w+Event\b/gm)].map(([, name = '']) => name);
  const told = [...read('docs/operations.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, name = '']) => name);
  expect(names.length).toBeGreaterThan(0);
  expect(told).toEqual(names);
});

test('docs/architecture.md names only modules that exist', () => {
  const table = read('docs/architecture.md').split('\n## ')[1] ?? '';
  const cells = [...table.matchAll(/^\| (`.+?) \|/gm)].map(([, cell = '']) => cell);
  expect(cells.length).toBeGreaterThan(0);
  for (const cell of cells) {
    let folder = '';
    for (const [, name = ''] of cell.matchAll(/`([^`]+)`/g)) {
      // A name without folder is in that of the name before it, or at the top.
      const path = `src/${name}`;
      const beside = `src/${folder}${name}`;
      expect([name, existsSync(join(ROOT, path)) || existsSync(join(ROOT, beside))]).toEqual([name, true]);
      if (name.includes('/')) folder = `${dirname(name)}/`;
    }
  }
});

describe.each(FILES)('%s', (file) => {
  const text = read(file);

  test('has links that lead somewhere', () => {
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const linked = path === '' ? file : join(dirname(file), path);
      expect([target, existsSync(join(ROOT, linked))]).toEqual([target, true]);
      if (anchor !== undefined) expect(anchorsOf(read(linked))).toContain(anchor);
    }
  });

  test('imports only what the package exports', () => {
    for (const [, names = '', entry = ''] of text.matchAll(/import \{([^}]+)\} from '(qelos-auth[^']*)'/g)) {
      const exported: object = require(entry);
      const types = read(`src${entry.replace('qelos-auth', '')}/index.ts`);
      for (const name of names.split(',').map((part) => part.trim())) {
        const isThere = name.startsWith('type ') ? types.includes(name.slice(5)) : name in exported;
        expect([name, isThere]).toEqual([name, true]);
      }
    }
  });
});
