// Packs the library, installs the tarball into scratch projects, and uses it there as its users do: by each module system,
// loader, test runner, compiler, Node release and oldest peer it promises to work with. tests/consumers/ holds the users;
// the packages in examples/strategies/ are users too, each with tests of its own.
//
// KEEP=1 leaves the scratch projects in place and says where they are.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix, resolve } from 'node:path';
import { checkReadme } from './check-readme.mjs';

const LIMIT_MS = 240_000;
const NODE_RELEASES = [20, 22, 24];
const COMPILERS = ['7.0.2', '6.0.3', '5.9.3'];
/** The last one that runs on every Node release above. */
const VITEST = '4.1.12';
/** `module` and `moduleResolution` of the projects that use the library. */
const MODULE_SETTINGS = [
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
  ['node20', 'node16'],
  ['esnext', 'bundler'],
];

const STRATEGIES = 'examples/strategies';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const scratch = mkdtempSync(join(tmpdir(), 'qelos-auth-consumers-'));

class CheckFailed extends Error {}

/** Runs a program to its end, or fails with everything it printed. */
function run(cwd, program, ...args) {
  // npm and npx are scripts on Windows, which only a shell can start.
  const shell = process.platform === 'win32' && /^np[mx]$/.test(program);
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    timeout: LIMIT_MS,
    shell,
  });
  if (status === 0) return stdout;
  const end = error?.message ?? (signal ? `ended by ${signal}` : `exit code ${status}`);
  throw new CheckFailed(`${program} ${args.join(' ')}: ${end}\n${stdout}${stderr}`);
}

const node = (cwd, ...args) => run(cwd, process.execPath, ...args);

/** What a program that has to fail printed. */
function failureOf(action) {
  try {
    return `It did not fail. ${action()}`;
  } catch (error) {
    if (error instanceof CheckFailed) return error.message;
    throw error;
  }
}

/** Prints one line for `action`, which may return a reason for having been skipped. */
function check(name, action) {
  const start = performance.now();
  let skipped;
  try {
    skipped = action();
  } catch (error) {
    console.log(`FAIL ${name}`);
    throw error;
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(skipped === undefined ? `ok   ${name} (${seconds} s)` : `skip ${name} (${skipped})`);
}

/** An empty project with nothing but the given packages and the consumers' files. */
function createProject(name, dependencies) {
  const dir = join(scratch, name);
  cpSync('tests/consumers', dir, { recursive: true });
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ name, private: true, dependencies }));
  run(dir, 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error');
  // The same source as an ES module and as a CommonJS module, whatever package.json says.
  copyFileSync(join(dir, 'plugin.ts'), join(dir, 'plugin-esm.mts'));
  copyFileSync(join(dir, 'plugin.ts'), join(dir, 'plugin-cjs.cts'));
  return dir;
}

function writeTsconfig(dir, { compilerOptions, ...others }) {
  const options = {
    target: 'es2022',
    lib: ['es2022'],
    types: ['node'],
    strict: true,
    skipLibCheck: false,
    esModuleInterop: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    rootDir: '.',
    ...compilerOptions,
  };
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, ...others }));
}

const development = (...names) => Object.fromEntries(names.map((name) => [name, manifest.devDependencies[name]]));
/** Each under a name of its own, as one project cannot have two packages called typescript. */
const compilers = (...versions) => Object.fromEntries(versions.map((v) => [`ts-${v}`, `npm:typescript@${v}`]));

/** The library with its peers at the versions it is developed with, and the tools of its users. */
function createCurrentProject(tarball) {
  return createProject('current', {
    'qelos-auth': tarball,
    ...development('axios', 'tsyringe', '@types/node'),
    ...development('tsx', 'jest', '@jest/globals', '@swc/jest', '@swc/core', 'axios-mock-adapter'),
    ...compilers(...COMPILERS),
    vitest: VITEST,
  });
}

/** The library with each peer at the lowest version that its range admits. */
function createLowestProject(tarball) {
  const lowest = Object.entries(manifest.peerDependencies).map(([name, range]) => [name, range.replace(/^\^/, '')]);
  return createProject('lowest', {
    'qelos-auth': tarball,
    ...Object.fromEntries(lowest),
    ...development('@types/node'),
    ...compilers(manifest.devDependencies.typescript),
  });
}

function checkRuntimes(label, dir, program = process.execPath) {
  for (const file of ['esm.mjs', 'cjs.cjs', 'both.mjs'])
    check(`${label}: ${file}${file === 'both.mjs' ? ' (F58)' : ''}`, () => void run(dir, program, file));
}

/** The program of a Node release: this one, or what npm has for most platforms; undefined if it has none. */
function nodeOf(release) {
  if (process.version.startsWith(`v${release}.`)) return process.execPath;
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const name = `node-${platform}-${process.arch}`;
  const home = join(scratch, `node-${release}`);
  try {
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    if (!existsSync(home)) run('.', 'npm', 'install', '--prefix', home, ...quiet, `${name}@${release}`);
  } catch (error) {
    // Only a package that does not exist is no fault: E404 for the platform, ETARGET for the release.
    if (!(error instanceof CheckFailed && /E404|ETARGET|EBADPLATFORM/.test(error.message))) throw error;
  }
  const binaries = join(home, 'node_modules', name, 'bin');
  return ['node', 'node.exe'].map((file) => join(binaries, file)).find(existsSync);
}

function checkNodeRelease(dir, release) {
  const program = nodeOf(release);
  if (program === undefined) return check(`Node ${release}`, () => 'npm has none for this platform');
  checkRuntimes(`Node ${run(dir, program, '--version').trim()}`, dir, program);
}

/** The README's quick start against an embedded Qelos, which runs in a process of its own with the packed library. */
async function checkReadmeAgainstServer(current, tarball) {
  const server = spawn(process.execPath, [join(current, 'serve-readme.cjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [env] = await once(server.stdout, 'data');
    const parent = join(scratch, 'readme');
    mkdirSync(parent);
    // What the README has its readers type is for a shell.
    const shell = (cwd, command) => run(cwd, ...(process.platform === 'win32' ? ['cmd', '/c'] : ['sh', '-c']), command);
    checkReadme({ parent, tarball, env: String(env), run: shell, check, newerNode: nodeOf(24) });
  } finally {
    server.kill();
  }
}

function checkLoaders(dir) {
  writeTsconfig(dir, { compilerOptions: { module: 'nodenext', moduleResolution: 'nodenext' } });
  const tsx = join(dir, 'node_modules/tsx/dist/cli.mjs');
  check('tsx, CommonJS', () => void node(dir, tsx, 'plugin.ts'));
  check('tsx, ES module', () => void node(dir, tsx, 'plugin-esm.mts'));
}

/** A plugin's tests, and the contract of strategies, by each test runner that a team may have. */
function checkTestRunners(dir) {
  const runners = {
    'jest (with axios-mock-adapter)': ['node_modules/jest/bin/jest.js', '-c', 'jest.config.json'],
    vitest: ['node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.config.mjs'],
    'node:test': ['--import', 'tsx', '--test', 'contract.node.ts'],
  };
  for (const [runner, args] of Object.entries(runners)) {
    check(`${runner}: the contract of strategies`, () => void node(dir, ...args));
    check(`${runner}: a strategy that breaks it is told what to change`, () => {
      process.env.IGNORE_SIGNAL = '1';
      const failure = failureOf(() => node(dir, ...args));
      delete process.env.IGNORE_SIGNAL;
      if (!failure.includes('signIn() ignored context.signal: pass it to whatever it waits for'))
        throw new CheckFailed(failure);
    });
  }
  check('the contract of strategies takes the functions of each runner as they are', () => {
    writeTsconfig(dir, {
      // The declarations of vitest ask for browser types.
      compilerOptions: { module: 'esnext', moduleResolution: 'bundler', noEmit: true, skipLibCheck: true },
      files: ['contract.test.ts', 'contract.vitest.ts', 'contract.node.ts'],
    });
    for (const version of COMPILERS) node(dir, `node_modules/ts-${version}/bin/tsc`, '-p', '.');
  });
}

/** The command, as it is installed, in a folder without settings. */
function checkCommand(dir) {
  check('npx qelos-auth doctor', () => {
    const failure = failureOf(() => run(dir, 'npx', '--no-install', 'qelos-auth', 'doctor'));
    if (!/exit code 2\n✗ configuration {2}QELOS_URL is missing\./.test(failure)) throw new CheckFailed(failure);
  });
}

/** What `npx qelos-auth init` writes, away from this repository: tested, compiled, and compiled code that starts. */
function checkTemplate(current, tarball) {
  const dir = join(scratch, 'my-plugin');
  check('npx qelos-auth init: installed, tested, compiled and started', () => {
    run(current, 'npx', '--no-install', 'qelos-auth', 'init', dir);
    const install = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
    run(dir, 'npm', 'install', tarball, ...install);
    run(dir, 'npm', 'test');
    run(dir, 'npm', 'run', 'typecheck');
    run(dir, 'npm', 'run', 'build');
    const failure = failureOf(() => node(dir, 'dist/main.js'));
    if (!/exit code 1\nERR_AUTH_CONFIG: QELOS_URL is missing/.test(failure)) throw new CheckFailed(failure);
  });
}

function checkCompiler(label, dir, version) {
  const tsc = `node_modules/ts-${version}/bin/tsc`;
  for (const [module, moduleResolution] of MODULE_SETTINGS) {
    check(`${label}: module ${module}, resolution ${moduleResolution}`, () => {
      writeTsconfig(dir, {
        compilerOptions: { module, moduleResolution, noEmit: true },
        files: ['plugin.ts', 'plugin-esm.mts', 'plugin-cjs.cts'],
      });
      node(dir, tsc, '-p', '.');
    });
  }
  check(`${label}: compiled to both module systems, and run`, () => {
    const outDir = `out-${version}`;
    writeTsconfig(dir, {
      compilerOptions: { module: 'node16', moduleResolution: 'node16', outDir },
      files: ['plugin.ts', 'plugin-esm.mts'],
    });
    node(dir, tsc, '-p', '.');
    node(dir, `${outDir}/plugin.js`);
    node(dir, `${outDir}/plugin-esm.mjs`);
  });
}

/** A package of a strategy, away from this repository: with what it declares and the library, and nothing else. */
function checkStrategyPackage(name, tarball) {
  const dir = join(scratch, `strategy-${name}`);
  cpSync(join(STRATEGIES, name), dir, {
    recursive: true,
    filter: (path) => !/[\\/](node_modules|dist)$/.test(path),
  });
  check(`strategy package ${name}: installed, built and tested`, () => {
    run(
      dir,
      'npm',
      'install',
      '--save-dev',
      tarball,
      '--no-audit',
      '--no-fund',
      '--prefer-offline',
      '--loglevel=error',
    );
    run(dir, 'npm', 'run', 'build');
    run(dir, 'npm', 'test');
    const { main, types } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
    for (const file of [main, types]) if (!existsSync(join(dir, file))) throw new CheckFailed(`${file} was not built`);
    node(
      dir,
      '-e',
      `if (typeof new (Object.values(require('.'))[0])({ url: '' }).signIn !== 'function') process.exit(1)`,
    );
  });
}

/** Tests are named for who reads the repository, and are not in the package. */
const ONLY_IN_THE_REPOSITORY = /^(?:tests|\.github)\//;

/** Readers of the installed package, and of its page at npm, follow the same links as those of the repository. */
function checkLinks(files) {
  const shipped = new Set(files.map(({ path }) => path));
  const dead = [...shipped]
    .filter((path) => path.endsWith('.md'))
    .flatMap((path) => {
      const links = [...readFileSync(path, 'utf8').matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, link]) => link);
      const local = links.filter((link) => !/^[a-z]+:/.test(link)).map((link) => posix.join(posix.dirname(path), link));
      const isThere = (file) =>
        shipped.has(file) || files.some((other) => other.path.startsWith(`${file.replace(/\/$/, '')}/`));
      return local
        .filter((file) => !ONLY_IN_THE_REPOSITORY.test(file) && !isThere(file))
        .map((file) => `${path}: ${file}`);
    });
  if (dead.length > 0) throw new CheckFailed(`links to files that are not in the package:\n${dead.join('\n')}`);
}

try {
  const [{ filename, files }] = JSON.parse(
    run('.', 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', scratch),
  );
  const tarball = `file:${resolve(scratch, filename)}`;
  check('links of the documents lead to files of the package', () => checkLinks(files));

  const current = createCurrentProject(tarball);
  checkRuntimes(`Node ${process.version}`, current);
  checkCommand(current);
  checkTemplate(current, tarball);
  await checkReadmeAgainstServer(current, tarball);
  checkLoaders(current);
  checkTestRunners(current);
  for (const version of COMPILERS) checkCompiler(`TypeScript ${version}`, current, version);

  const lowest = createLowestProject(tarball);
  checkRuntimes('lowest peers', lowest);
  checkCompiler('lowest peers', lowest, manifest.devDependencies.typescript);

  for (const entry of readdirSync(STRATEGIES, { withFileTypes: true }))
    if (entry.isDirectory()) checkStrategyPackage(entry.name, tarball);

  const others = NODE_RELEASES.filter((release) => !process.version.startsWith(`v${release}.`));
  for (const release of others) checkNodeRelease(current, release);
} catch (error) {
  if (!(error instanceof CheckFailed)) throw error;
  console.error(error.message);
  process.exitCode = 1;
} finally {
  if (process.env.KEEP) console.log(`kept: ${scratch}`);
  else rmSync(scratch, { recursive: true, force: true });
}
