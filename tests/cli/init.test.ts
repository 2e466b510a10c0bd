import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { buildBefore, type Place, placeWith, runCommand } from './command';

const ROOT = resolve(__dirname, '../..');

buildBefore();

const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => statSync(join(folder, file)).isFile())
    .sort();

const read = ({ cwd }: Place, file: string) => readFileSync(join(cwd, file), 'utf8');

describe('init', () => {
  test('writes the whole template, under the name of the folder', async () => {
    const place = placeWith();
    const { code, stdout, stderr } = await runCommand(['init', 'My Books!'], place);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Wrote the plugin my-books: ');
    expect(stdout).toContain('cd My Books!\n  npm install\n  npm test\n');
    const template = filesIn(join(ROOT, 'template')).map((file) => (file === 'gitignore' ? '.gitignore' : file));
    expect(filesIn(join(place.cwd, 'My Books!'))).toEqual(template.sort());
    expect(JSON.parse(read(place, 'My Books!/package.json')).name).toBe('my-books');
    expect(read(place, 'My Books!/README.md')).toMatch(/^# my-books\n/);
    for (const file of template) expect(read(place, `My Books!/${file}`)).not.toContain('my-qelos-plugin');
  });

  test('writes into the current folder where none is named', async () => {
    const place = placeWith({}, { 'notes.txt': 'mine' });
    expect(await runCommand(['init'], place)).toMatchObject({ code: 0, stdout: expect.not.stringContaining('cd ') });
    expect(filesIn(place.cwd)).toEqual(expect.arrayContaining(['notes.txt', 'package.json', 'src/main.ts']));
  });

  test('overwrites nothing, and says what is there', async () => {
    const place = placeWith({}, { 'package.json': 'mine' });
    mkdirSync(join(place.cwd, 'src'));
    const { code, stdout, stderr } = await runCommand(['init'], place);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('already has package.json');
    expect(stderr).toContain('npx qelos-auth init my-plugin');
    expect(filesIn(place.cwd)).toEqual(['package.json']);
    expect(read(place, 'package.json')).toBe('mine');
  });

  test('asks for this version, and for the peers it takes', () => {
    const ours = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'template/package.json'), 'utf8'));
    const { axios, tsyringe } = ours.peerDependencies;
    expect(dependencies).toEqual({ 'qelos-auth': `^${ours.version}`, axios, tsyringe });
  });
});
