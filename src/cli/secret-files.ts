import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'dotenv';
import { CommandFailed, UsageError } from './failures';

/** Where a new token is to be written. */
export interface SecretTarget {
  /** As the user named it. */
  readonly file: string;
  /** The variable to set in it; a file without is the token alone. */
  readonly variable?: string;
}

/** A file that can take the token, as far as can be known before. */
export interface PreparedFile {
  readonly target: SecretTarget;
  /**
   * Writes it: mode 0600, all at once, every other line as it was.
   *
   * @returns what puts the former content back
   * @throws CommandFailed if it cannot be written
   */
  write(secret: string): () => void;
}

/**
 * Makes sure that a token can be written there, before there is one.
 *
 * @throws UsageError that names the file
 */
export function prepareFile(cwd: string, target: SecretTarget): PreparedFile {
  const named = resolve(cwd, target.file);
  const { before, path } = formerContent(named, target.file);
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    throw new UsageError(
      `${target.file} cannot be written (${codeOf(error)}).`,
      'Check that its folder is there and that you may write in it. Nothing was created.',
    );
  }
  const { variable } = target;
  if (variable !== undefined) withVariable(before ?? '', variable, 'ql_0', target.file); // refuses what it cannot edit
  return {
    target,
    write(secret) {
      const content =
        variable === undefined ? `${secret}\n` : withVariable(before ?? '', variable, secret, target.file);
      replaceFile(path, content, target.file);
      return () => {
        if (before === undefined) rmSync(path, { force: true });
        else replaceFile(path, before, target.file);
      };
    },
  };
}

function formerContent(named: string, file: string): { before: string | undefined; path: string } {
  if (!existsSync(named)) return { before: undefined, path: named };
  try {
    // A link stays one: what it leads to is replaced.
    return { before: readFileSync(named, 'utf8'), path: realpathSync(named) };
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${codeOf(error)}).`, 'Name a file that you may read and write.');
  }
}

/** The text of a `.env` file with one variable set: in its line, if it has one, else at the end. */
function withVariable(text: string, variable: string, value: string, file: string): string {
  const lineEnd = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = text.split(/\r?\n/);
  const setting = new RegExp(`^(\\s*(?:export\\s+)?${variable}\\s*=).*$`);
  const at = lines.findLastIndex((line) => setting.test(line));
  if (at >= 0) lines[at] = (lines[at] as string).replace(setting, `$1${value}`);
  else if (lines.at(-1) === '') lines.splice(-1, 0, `${variable}=${value}`);
  else lines.push(`${variable}=${value}`, '');
  const changed = lines.join(lineEnd);
  const before = parse(text);
  // A value over several lines would leave its rest behind.
  if (before[variable]?.includes('\n') || !sameSettings(parse(changed), { ...before, [variable]: value })) {
    throw new UsageError(
      `${file} cannot be changed without touching other lines.`,
      `Write ${variable} on a line of its own, or name another file. Nothing was created.`,
    );
  }
  return changed;
}

function sameSettings(a: Record<string, string>, b: Record<string, string>): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => a[name] === b[name]);
}

/** Readers see the old content or the new one, and nobody else sees either. */
function replaceFile(path: string, content: string, file: string): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    writeFileSync(temporary, content, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new CommandFailed(
      `${file} could not be written (${codeOf(error)}).`,
      'Check the folder, and the space left.',
    );
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
