// Packs the library, installs the tarball into scratch projects, and uses it as its users do.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const run = (cwd, command, ...args) =>
  execFileSync(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
const dir = mkdtempSync(join(tmpdir(), 'consumer-'));
try {
  const [{ filename }] = JSON.parse(run('.', 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', dir));
  const { devDependencies: dev } = JSON.parse(readFileSync('package.json', 'utf8'));
  const pick = (...names) => Object.fromEntries(names.map((name) => [name, dev[name]]));
  cpSync('consumers', dir, { recursive: true });
  writeFileSync(
    join(dir, 'package.json'),
    JSON.stringify({
      name: 'consumer',
      private: true,
      dependencies: { 'qelos-auth': `file:${filename}`, ...pick('axios', 'tsyringe') },
      devDependencies: {
        ...pick(
          'typescript',
          'tsx',
          'jest',
          '@jest/globals',
          '@swc/jest',
          '@swc/core',
          'axios-mock-adapter',
          '@types/node',
        ),
        ts6: 'npm:typescript@6.0.3',
        ts59: 'npm:typescript@5.9.3',
      },
      jest: {
        testEnvironment: 'node',
        transform: {
          '^.+\\.ts$': [
            '@swc/jest',
            {
              jsc: {
                target: 'es2022',
                parser: { syntax: 'typescript', decorators: true },
                transform: { legacyDecorator: true, decoratorMetadata: true },
              },
              module: { type: 'commonjs' },
            },
          ],
        },
      },
    }),
  );
  run(dir, 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline');

  process.stdout.write(run(dir, 'node', 'esm.mjs'));
  process.stdout.write(run(dir, 'node', 'no-polyfill.mjs'));
  process.stdout.write(run(dir, 'node', 'cjs.cjs'));
  const tsconfig = (module, moduleResolution, extra) => ({
    compilerOptions: {
      target: 'es2022',
      lib: ['es2022'],
      types: ['node'],
      strict: true,
      skipLibCheck: false,
      esModuleInterop: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      module,
      moduleResolution,
      ...extra,
    },
  });
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(tsconfig('nodenext', 'nodenext')));
  cpSync('consumers/plugin.ts', join(dir, 'plugin-esm.mts'));
  process.stdout.write(`tsx CommonJS: ${run(dir, 'npx', 'tsx', 'plugin.ts')}`);
  process.stdout.write(`tsx ESM: ${run(dir, 'npx', 'tsx', 'plugin-esm.mts')}`);
  run(dir, 'npx', 'jest');
  console.log('jest ok');

  const tsc = {
    ts7: 'node_modules/typescript/bin/tsc',
    ts6: 'node_modules/ts6/bin/tsc',
    ts59: 'node_modules/ts59/bin/tsc',
  };
  const cases = [
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
    ['node20', 'node16'],
    ['esnext', 'bundler'],
  ];
  for (const [version, bin] of Object.entries(tsc)) {
    for (const [module, resolution] of cases) {
      writeFileSync(
        join(dir, 'tsconfig.json'),
        JSON.stringify({ ...tsconfig(module, resolution, { noEmit: true }), include: ['types', 'plugin.ts'] }),
      );
      run(dir, 'node', bin, '-p', '.');
    }
    // A plugin compiled to CommonJS, then run.
    writeFileSync(
      join(dir, 'tsconfig.json'),
      JSON.stringify({ ...tsconfig('node16', 'node16', { outDir: `out-${version}` }), files: ['plugin.ts'] }),
    );
    run(dir, 'node', bin, '-p', '.');
    process.stdout.write(`${version} compiled to CommonJS: ${run(dir, 'node', `out-${version}/plugin.js`)}`);
  }
  console.log('types ok');
} finally {
  if (process.env.KEEP) console.log(dir);
  else rmSync(dir, { recursive: true, force: true });
}
