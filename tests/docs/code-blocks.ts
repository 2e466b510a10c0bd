import { readFileSync } from 'node:fs';
import { transformSync } from '@swc/core';

export interface CodeBlock {
  /** The file that the block says it is, in a comment on its first line; without the extension. */
  readonly name: string;
  readonly code: string;
}

/** What a block did. */
export interface Outcome {
  /** What it wrote to the console, one entry a call. */
  readonly printed: unknown[][];
  readonly exports: Record<string, unknown>;
  /** The tests it defined, by their names. */
  readonly tests: ReadonlyMap<string, () => Promise<void>>;
}

/** The TypeScript blocks of a Markdown file, in order. */
export function codeBlocksOf(file: string): CodeBlock[] {
  const blocks = readFileSync(file, 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm);
  return [...blocks].map(([, code = '']) => {
    const name = /^\/\/ ([\w.-]+)\.ts\n/.exec(code)?.[1];
    if (name === undefined) throw new Error(`a block of ${file} does not begin with its file's name:\n${code}`);
    return { name, code };
  });
}

const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (...args: unknown[]) => Promise<void>;

/**
 * Runs a block as its reader would: compiled without type metadata, as tsx does, with top-level await. The package's own
 * names lead to its source.
 *
 * @param given - exports of other blocks, by the file's name without extension; of packages to load otherwise, by their names
 */
export async function run({ name, code }: CodeBlock, given: Record<string, object> = {}): Promise<Outcome> {
  const compiled = transformSync(code, {
    filename: `${name}.ts`,
    swcrc: false,
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, useDefineForClassFields: true },
    },
    module: { type: 'commonjs' },
  });
  const printed: unknown[][] = [];
  const print = (...values: unknown[]) => void printed.push(values);
  const tests = new Map<string, () => Promise<void>>();
  const test = (title: string, body: () => Promise<void>) => void tests.set(title, body);
  const load = (id: string): unknown => {
    const found = given[id.replace(/^\.\/|\.ts$/g, '')];
    if (found !== undefined || id.startsWith('./')) return found ?? fail(`${name}: nobody wrote ${id}`);
    const loaded = require(id);
    if (id === 'node:test') return { describe: (_title: string, body: () => void) => body(), it: test, test };
    return id === '@jest/globals' ? { ...loaded, expect: loaded.expect, test } : loaded;
  };
  const exports = {};
  const execute = new AsyncFunction('require', 'exports', 'console', compiled.code);
  await execute(load, exports, { log: print, error: print });
  return { printed, exports, tests };
}

function fail(message: string): never {
  throw new Error(message);
}
