import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { CommandFailed } from './failures';
import type { Terminal } from './terminal';

/** The plugin that is written, beside the built command. */
const TEMPLATE = join(__dirname, 'template');

/** What the template calls itself, wherever that stands. */
const TEMPLATE_NAME = 'my-qelos-plugin';

/** npm leaves a file of this name out of packages. */
const RENAMED: Readonly<Record<string, string>> = { gitignore: '.gitignore' };

/**
 * Writes a small plugin that is complete: services, health endpoint, Dockerfile, and a test that passes.
 *
 * @param folder - made if it is not there; files that exist are never overwritten
 */
export function init(terminal: Terminal, cwd: string, folder = '.'): void {
  const target = resolve(cwd, folder);
  const name = packageName(basename(target));
  const files = readdirSync(TEMPLATE, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(relative(TEMPLATE, entry.parentPath), RENAMED[entry.name] ?? entry.name);
      return { path, text: readFileSync(join(entry.parentPath, entry.name), 'utf8').replaceAll(TEMPLATE_NAME, name) };
    });
  const there = files.filter(({ path }) => existsSync(join(target, path))).map(({ path }) => path);
  if (there.length > 0) {
    throw new CommandFailed(
      `Nothing was written: ${folder} already has ${there.sort().join(', ')}.`,
      'Name a folder that is empty or does not exist yet, such as: npx qelos-auth init my-plugin',
    );
  }
  for (const { path, text } of files) {
    mkdirSync(dirname(join(target, path)), { recursive: true });
    writeFileSync(join(target, path), text, { flag: 'wx' });
  }
  const steps = ['npm install', 'npm test', 'cp .env.example .env   # then fill it in', 'npm run dev'];
  terminal.print(`Wrote the plugin ${name}: ${files.length} files. Next:\n`);
  for (const step of target === resolve(cwd) ? steps : [`cd ${folder}`, ...steps]) terminal.print(`  ${step}`);
}

/** A name that npm takes, as close as possible to that of the folder. */
function packageName(folder: string): string {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z\d._-]+/g, '-')
    .replace(/^[._-]+|-+$/g, '');
  return name === '' ? TEMPLATE_NAME : name;
}
