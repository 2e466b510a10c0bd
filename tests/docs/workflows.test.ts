import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const ROOT = resolve(__dirname, '../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
const WORKFLOWS = readdirSync(join(ROOT, '.github/workflows')).map((file) => `.github/workflows/${file}`);

test.each(WORKFLOWS)('%s is linted, and runs what there is', (file) => {
  expect(scripts['lint:workflows']).toContain(`action-validator ${file}`);
  const said = [...read(file).matchAll(/npm run ([\w:-]+)|suite: '?\[?([\w:-]+)/g)].map(
    ([, run, suite]) => run ?? suite,
  );
  expect(said.filter((name) => name !== undefined && !(name in scripts))).toEqual([]);
});

test('the bug report asks for what the doctor says', () => {
  expect(read('.github/ISSUE_TEMPLATE/bug.yml')).toContain('npx qelos-auth doctor --json');
});

describe('the notes of a release', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'qelos-auth-release-'));
    writeFileSync(join(folder, 'package.json'), '{"version":"0.2.0"}');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const notesOf = (tag: string, heading: string) => {
    writeFileSync(
      join(folder, 'CHANGELOG.md'),
      `# Changelog\n\n## ${heading}\n\n- New.\n\n## [0.1.0] - 2026-01-01\n\n- Old.\n`,
    );
    const script = join(ROOT, 'scripts/release-notes.mjs');
    const { stdout, stderr, status } = spawnSync(process.execPath, [script, tag], { cwd: folder, encoding: 'utf8' });
    return { stdout, stderr, status };
  };

  test('are those of the tagged version', () => {
    expect(notesOf('v0.2.0', '[0.2.0] - 2026-12-31')).toEqual({ stdout: '- New.\n', stderr: '', status: 0 });
  });

  test.each([
    ['v0.3.0', '[0.2.0] - 2026-12-31', /package.json says 0\.2\.0/],
    ['v0.2.0', '[0.3.0] - 2026-12-31', /no section \[0\.2\.0\]/],
    ['v0.2.0', '[0.2.0] - Unreleased', /give it the date/],
  ])('are refused: tag %s, section %s', (tag, heading, reason) => {
    const { stdout, stderr, status } = notesOf(tag, heading);
    expect({ stdout, status }).toEqual({ stdout: '', status: 1 });
    expect(stderr).toMatch(reason);
  });
});
