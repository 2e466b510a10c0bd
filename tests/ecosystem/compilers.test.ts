import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { transformSync as transformBySwc } from '@swc/core';
import { transformSync as transformByEsbuild } from 'esbuild';
import { runChild } from '../support/child';

const NAME = 'injected-strategies';
const FILE = join(__dirname, '..', 'support', 'children', `${NAME}.ts`);

const TSC = join(__dirname, '..', '..', 'node_modules', 'typescript', 'bin', 'tsc'); // a path that the package does not export

/** Runs the compiled program here, where the library's name leads to its source. */
function printedBy(code: string): unknown {
  const printed: string[] = [];
  const console = { log: (text: string) => printed.push(text) };
  new Function('require', 'exports', 'console', code)(require, {}, console);
  return JSON.parse(printed.join());
}

const compilers: Record<string, () => Promise<unknown> | unknown> = {
  'tsc with metadata': () => {
    // Apart from the package, whose tsconfig and exports tsc would go by.
    const folder = mkdtempSync(join(tmpdir(), 'qelos-auth-'));
    try {
      const file = join(folder, `${NAME}.ts`);
      copyFileSync(FILE, file);
      const options = ['--noCheck', '--isolatedModules', '--experimentalDecorators', '--emitDecoratorMetadata'];
      execFileSync(process.execPath, [TSC, file, ...options, '--target', 'es2022', '--module', 'commonjs'], {
        cwd: folder,
      });
      return printedBy(readFileSync(join(folder, `${NAME}.js`), 'utf8'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  'swc with metadata': () => {
    const { code } = transformBySwc(readFileSync(FILE, 'utf8'), {
      filename: FILE,
      swcrc: false,
      jsc: {
        target: 'es2022',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
      module: { type: 'commonjs' },
    });
    return printedBy(code);
  },
  esbuild: () => {
    const tsconfigRaw = { compilerOptions: { experimentalDecorators: true, emitDecoratorMetadata: true } };
    const options = { loader: 'ts', format: 'cjs', target: 'es2022', tsconfigRaw } as const;
    return printedBy(transformByEsbuild(readFileSync(FILE, 'utf8'), options).code);
  },
  tsx: async () => {
    const { stdout, stderr, code } = await runChild(`${NAME}.ts`, {});
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  },
};

describe.each(Object.entries(compilers))('a strategy class that %s compiled', (name, compile) => {
  const hasMetadata = name.endsWith('metadata');
  const url = 'https://my.qelos.example';

  it('is given what each of its parameters says by @inject; one with a default says so by isOptional', async () => {
    expect(await compile()).toEqual({
      EveryParameter: { url, key: 'k' },
      OptionalParameter: { url, clock: 'default' },
      DefaultsAlone: { retries: 3, clock: 'default' },
      // Why: with type metadata the container makes what a parameter has a type for, default or not.
      UnmarkedNumber: hasMetadata ? 'not made' : { url, retries: 3 },
      UnmarkedClass: hasMetadata ? { url, clock: 'made by the container' } : { url, clock: 'default' },
    });
  });
});
