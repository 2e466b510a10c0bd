// Follows the quick start of README.md to the letter, from the packed tarball, in an empty folder: writes each file, runs each command.
// The .env file names an embedded Qelos instead of an instance. Called by check-consumers.mjs.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the README says to type to get the package from npm, which the tarball stands in for. */
const FROM_NPM = /(?<=npm install )qelos-auth\b/;

/** The blocks of a section, in order: files to write, by the comment on their first line, and commands to run. */
function blocksOf(markdown, title) {
  const [, rest = ''] = markdown.split(`\n## ${title}\n`);
  const [section = ''] = rest.split('\n## ');
  return [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => {
    const file = /^(?:\/\/|#) ([\w.-]+)\n/.exec(text)?.[1];
    return file === undefined ? { language, commands: text.trim().split('\n') } : { language, file, text };
  });
}

/**
 * @param {object} given
 * @param {string} given.parent - an empty folder; the README makes one in it
 * @param {string} given.tarball
 * @param {string} given.env - the content of the .env file
 * @param {(cwd: string, command: string) => string} given.run - runs a command line; returns what it printed
 * @param {(name: string, action: () => string | undefined) => void} given.check
 * @param {string | undefined} given.newerNode - a Node that runs TypeScript itself, if there is one
 */
export function checkReadme({ parent, tarball, env, run, check, newerNode }) {
  const readme = readFileSync('README.md', 'utf8');
  const quickStart = blocksOf(readme, 'Quick start');
  let dir = parent;

  const expectBook = (printed, command) => {
    if (!/Dune/.test(printed)) throw new Error(`${command} printed no book:\n${printed}`);
  };
  const follow = (commands) => {
    for (const line of commands) {
      if (line.startsWith('mkdir ')) {
        run(dir, line);
        dir = join(dir, line.split(' ').at(-1));
        continue;
      }
      const printed = run(dir, line.replace(FROM_NPM, tarball));
      if (line.includes('--env-file')) expectBook(printed, line);
    }
  };
  for (const { file, text, commands = [] } of quickStart) {
    if (file !== undefined) writeFileSync(join(dir, file), file === '.env' ? env : text);
    else check(`README: ${commands.at(-1)}`, () => follow(commands));
  }
  check("README: plugin.ts in Node's own TypeScript", () => {
    if (newerNode === undefined) return 'npm has no Node 24 for this platform';
    expectBook(run(dir, `"${newerNode}" --env-file=.env plugin.ts`), 'node plugin.ts');
    return undefined;
  });

  for (const title of ['A strategy of your own', 'In your tests']) {
    for (const { file, text } of blocksOf(readme, title)) if (file !== undefined) writeFileSync(join(dir, file), text);
  }
  run(dir, 'npm install --save-dev axios-mock-adapter');
  for (const [command] of readme.matchAll(/npx tsx --test [\w.-]+/g))
    check(`README: ${command}`, () => void run(dir, command));
  for (const module of ['node16', 'nodenext']) {
    check(`README: every file compiles under ${module}`, () => {
      run(dir, `npx tsc --noEmit --experimentalDecorators --module ${module} --moduleResolution ${module}`);
    });
  }
}
