import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { whenDone } from './when-done';

export interface ChildResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of tests/support/children in a process of its own, with `input` as its only argument (JSON). */
export function runChild(
  program: string,
  input: unknown,
  nodeOptions: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<ChildResult> {
  const file = join(__dirname, 'children', program);
  const root = join(__dirname, '..', '..');
  const child = spawn(process.execPath, [...nodeOptions, '--import', 'tsx', file, JSON.stringify(input)], {
    cwd: root,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  whenDone(() => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => (stdout += data));
  child.stderr.on('data', (data) => (stderr += data));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
