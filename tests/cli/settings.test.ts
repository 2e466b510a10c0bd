import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { UsageError } from '../../src/cli/failures';
import { likelyMeant, readSettings } from '../../src/cli/settings';
import { whenDone } from '../support/when-done';

function folderWith(files: Record<string, string>): string {
  const cwd = mkdtempSync(join(tmpdir(), 'qelos-auth-settings-'));
  whenDone(() => rmSync(cwd, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  return cwd;
}

const FOUR = {
  '.env.production.local': 'QELOS_URL=https://a.example\n',
  '.env.production': 'QELOS_URL=https://b.example\nQELOS_USERNAME=b\n',
  '.env.local': 'QELOS_USERNAME=c\nQELOS_PASSWORD=c\n',
  '.env': 'QELOS_PASSWORD=d\nQELOS_WORKSPACE=d\n',
};

test('the environment wins, then .env.<name>.local, .env.<name>, .env.local, .env; each names its line', () => {
  const { env, qelos } = readSettings({ QELOS_WORKSPACE: 'e' }, { cwd: folderWith(FOUR), envName: 'production' });
  expect(env).toMatchObject({
    QELOS_URL: 'https://a.example',
    QELOS_USERNAME: 'b',
    QELOS_PASSWORD: 'c',
    QELOS_WORKSPACE: 'e',
  });
  expect(qelos.map(({ name, source }) => [name, source])).toEqual([
    ['QELOS_PASSWORD', '.env.local:2'],
    ['QELOS_URL', '.env.production.local:1'],
    ['QELOS_USERNAME', '.env.production:2'],
    ['QELOS_WORKSPACE', 'environment'],
  ]);
});

test('without a name, only .env.local and .env are read', () => {
  const { env } = readSettings({}, { cwd: folderWith(FOUR) });
  expect(env).toEqual({ QELOS_USERNAME: 'c', QELOS_PASSWORD: 'c', QELOS_WORKSPACE: 'd' });
});

test('--env-file reads that file and no other', () => {
  const cwd = folderWith({ ...FOUR, 'plugin.env': "# the plugin\nexport QELOS_URL='https://f.example' # here\n" });
  const { qelos } = readSettings({}, { cwd, envFile: 'plugin.env' });
  expect(qelos).toEqual([
    { name: 'QELOS_URL', value: 'https://f.example', source: 'plugin.env:2', file: 'plugin.env' },
  ]);
});

test('a variable that is set twice in a file is the last one', () => {
  const cwd = folderWith({ '.env': 'QELOS_URL=https://a.example\nQELOS_URL=https://b.example\n' });
  expect(readSettings({}, { cwd }).qelos).toMatchObject([{ value: 'https://b.example', source: '.env:2' }]);
});

test.each([
  ['the file of --env-file', { envFile: 'nosuch.env' }, 'nosuch.env cannot be read (ENOENT).'],
  [
    'both files of --env',
    { envName: 'staging' },
    'There is neither .env.staging.local nor .env.staging in this folder.',
  ],
])('a file that was asked for and is not there is a fault: %s', (_what, options, message) => {
  const cwd = folderWith(FOUR);
  expect(() => readSettings({}, { cwd, ...options })).toThrow(new UsageError(message, ''));
});

test.each([
  ['QELOS_API_KEY', 'QELOS_API_TOKEN'],
  ['QELOS_SERVICE_TOKEN', 'QELOS_API_TOKEN'],
  ['QELOS_USER', 'QELOS_USERNAME'],
  ['QELOS_PASWORD', 'QELOS_PASSWORD'],
  ['QELOS_ULR', 'QELOS_URL'],
  ['QELOS_WORKSPACE_ID', 'QELOS_WORKSPACE'],
  ['QELOS_API_TOKEN', undefined],
  ['QELOS_APP_URL', undefined],
  ['QELOS_ACCESS_TOKEN_COOKIE', undefined],
  ['QELOS_REQUIRE_AUTH', undefined],
])('%s was probably meant to be %s', (name, meant) => {
  expect(likelyMeant(name)).toBe(meant);
});
