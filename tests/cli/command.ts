import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { spawn as spawnInTerminal } from '@lydell/node-pty';
import { Terminal } from '@xterm/headless';
import { whenDone } from '../support/when-done';

const ROOT = resolve(__dirname, '../..');

/** Wide enough that no line of the command is broken. */
const COLUMNS = 400;
const ROWS = 60;

let dist = '';

/** Builds the command before the tests of a file, and takes it away after them. */
export function buildBefore(): void {
  beforeAll(() => {
    dist = join(ROOT, 'temp', `cli-${process.pid}-${Date.now()}`);
    execFileSync(process.execPath, [join(__dirname, 'build-command.mjs'), dist], { cwd: ROOT });
  }, 60_000);
  afterAll(() => rmSync(dist, { recursive: true, force: true }));
}

/** The built file. */
export function commandFile(): string {
  return join(dist, 'cli', 'main.js');
}

/** Where the command runs: a folder of its own, with the files given, and an environment without anything else. */
export interface Place {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** An empty folder, with files of these contents. It is the user's home too. */
export function placeWith(env: Record<string, string> = {}, files: Record<string, string> = {}): Place {
  const cwd = mkdtempSync(join(tmpdir(), 'qelos-auth-cli-'));
  whenDone(() => rmSync(cwd, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(cwd, name), content);
  return { cwd, env: { PATH: process.env['PATH'] ?? '', HOME: cwd, ...env } };
}

/** Runs the built command as a process without a terminal. */
export function runCommand(args: readonly string[], { cwd, env }: Place): Promise<Result> {
  const child = spawn(process.execPath, [commandFile(), ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  whenDone(() => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => (stdout += data));
  child.stderr.on('data', (data) => (stderr += data));
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (code) => done({ code, stdout, stderr }));
  });
}

/** What somebody types, as soon as the screen shows a text. */
export type Typed = readonly [shown: string, typed: string];

export interface Session {
  readonly code: number;
  /** What the screen shows in the end. */
  readonly screen: string;
  /** Everything that was written to it, control sequences too. */
  readonly raw: string;
}

/** Runs the built command in a pseudo-terminal. */
export async function runInTerminal(
  args: readonly string[],
  { cwd, env }: Place,
  typed: readonly Typed[] = [],
): Promise<Session> {
  const pty = spawnInTerminal(process.execPath, [commandFile(), ...args], {
    cwd,
    env: { TERM: 'xterm-256color', ...env },
    cols: COLUMNS,
    rows: ROWS,
  });
  let ended = false;
  whenDone(() => {
    if (!ended) pty.kill('SIGKILL');
  });
  const terminal = new Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true });
  const waiting = [...typed];
  let raw = '';
  let seen = 0;
  pty.onData((data) => {
    raw += data;
    terminal.write(data);
    const [next] = waiting;
    if (next === undefined || !raw.slice(seen).includes(next[0])) return;
    seen = raw.length;
    waiting.shift();
    pty.write(next[1]);
  });
  const code = await new Promise<number>((done) => pty.onExit(({ exitCode }) => done(exitCode)));
  ended = true;
  await new Promise<void>((done) => terminal.write('', done));
  const { buffer } = terminal;
  const lines = Array.from(
    { length: buffer.active.length },
    (_, i) => buffer.active.getLine(i)?.translateToString(true) ?? '',
  );
  return { code, screen: lines.join('\n').trimEnd(), raw };
}

/** Replaces what differs from run to run by the values that docs/cli.md shows. */
export function steady(text: string, url: string, shown = '127.0.0.1:3000'): string {
  const { host, hostname: name, port } = new URL(url);
  const [shownName = '', shownPort = ''] = shown.split(':');
  return text
    .replaceAll(host, shown)
    .replaceAll(name.replace(/[[\]]/g, ''), shownName)
    .replaceAll(port, shownPort)
    .replaceAll(hostname(), 'build-1')
    .replace(/\bin \d+ ms/g, 'in 12 ms')
    .replace(/\btook \d+ ms/g, 'took 2512 ms')
    .replace(/ql_[0-9a-f]{64}/g, 'ql_0e841b7c…')
    .replace(/ql_[0-9a-f]{5}\b/g, 'ql_0e841')
    .replace(/\b[0-9a-f]{24}\b/g, '65f0c0ffee65f0c0ffee65f0')
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d UTC/g, '2027-02-23 18:00 UTC')
    .replace(/\d{4}-\d\d-\d\d/g, '2027-02-23')
    .replace(/\d+ more days/g, '63 more days');
}
