import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { UsageError } from './failures';

/** A variable, and where it was found. */
interface Setting {
  readonly name: string;
  readonly value: string;
  /** `environment`, or file and line. */
  readonly source: string;
  /** The file it stands in, as it was named; undefined for the environment. */
  readonly file?: string;
}

/** What the command reads its settings from. */
export interface Settings {
  /** The environment, with what the files add to it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Every variable that begins with `QELOS_`, in the order of their names. */
  readonly qelos: readonly Setting[];
}

export interface SettingsOptions {
  readonly cwd: string;
  /** Reads `.env.<name>.local` and `.env.<name>` first. */
  readonly envName?: string | undefined;
  /** Reads this file alone. */
  readonly envFile?: string | undefined;
}

/**
 * Reads settings as the Qelos CLI does (`getEnvFiles` and `loadEnv` of tools/cli/services/load-env.mjs in qelos-io/qelos,
 * seen at 20ceab27cf9c): the environment wins, then `.env.<name>.local`, `.env.<name>`, `.env.local`, `.env` of the current
 * folder, and of each file what none before it has.
 *
 * @throws UsageError if a file that was asked for is not there
 */
export function readSettings(
  processEnv: Readonly<Record<string, string | undefined>>,
  { cwd, envName, envFile }: SettingsOptions,
): Settings {
  const env: Record<string, string | undefined> = { ...processEnv };
  const sources = new Map<string, Pick<Setting, 'source' | 'file'>>();
  for (const name of Object.keys(processEnv)) sources.set(name, { source: 'environment' });
  for (const file of filesToRead(cwd, envName, envFile)) {
    const text = readText(join(cwd, file), file);
    for (const [name, value] of Object.entries(parse(text))) {
      // Node 20 reads the file of --env-file by itself, wherever that option stands, before it runs the command.
      const isReadByNode = envFile !== undefined && env[name] === value;
      if (env[name] !== undefined && !isReadByNode) continue;
      env[name] = value;
      sources.set(name, { source: `${file}:${lineOf(text, name)}`, file });
    }
  }
  const qelos = Object.keys(env)
    .filter((name) => name.startsWith('QELOS_'))
    .sort()
    .map((name) => ({ name, value: env[name] ?? '', ...(sources.get(name) as Pick<Setting, 'source' | 'file'>) }));
  return { env, qelos };
}

function filesToRead(cwd: string, envName: string | undefined, envFile: string | undefined): string[] {
  if (envFile !== undefined) return [envFile];
  const named = envName === undefined ? [] : [`.env.${envName}.local`, `.env.${envName}`];
  const found = [...named, '.env.local', '.env'].filter((file) => existsSync(join(cwd, file)));
  if (envName !== undefined && !found.some((file) => named.includes(file))) {
    throw new UsageError(`There is neither ${named.join(' nor ')} in this folder.`, 'Check the name given to --env.');
  }
  return found;
}

function readText(path: string, file: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new UsageError(`${file} cannot be read (${code}).`, 'Check its name, and that you may read it.');
  }
}

/** The line that sets a variable; the last one, as that is the one that counts. */
function lineOf(text: string, name: string): number {
  const isSetting = new RegExp(`^\\s*(?:export\\s+)?${name}\\s*[=:]`);
  return text.split(/\r?\n/).findLastIndex((line) => isSetting.test(line)) + 1;
}

/** Variables that are read: those of the library, and the ones that others of the Qelos world have. */
const READ = [
  'QELOS_URL',
  'QELOS_APP_URL',
  'QELOS_API_TOKEN',
  'QELOS_API_TOKEN_FILE',
  'QELOS_ACCESS_TOKEN',
  'QELOS_REFRESH_TOKEN',
  'QELOS_USERNAME',
  'QELOS_PASSWORD',
  'QELOS_WORKSPACE',
  'QELOS_AUTH_STRATEGY',
] as const;

/** Names that people give, where a wrong letter alone does not explain it. */
const OTHER_NAMES: Readonly<Record<string, (typeof READ)[number]>> = {
  QELOS_API_KEY: 'QELOS_API_TOKEN',
  QELOS_KEY: 'QELOS_API_TOKEN',
  QELOS_TOKEN: 'QELOS_API_TOKEN',
  QELOS_SERVICE_TOKEN: 'QELOS_API_TOKEN',
  QELOS_AUTH_TOKEN: 'QELOS_API_TOKEN',
  QELOS_TOKEN_FILE: 'QELOS_API_TOKEN_FILE',
  QELOS_API_KEY_FILE: 'QELOS_API_TOKEN_FILE',
  QELOS_USER: 'QELOS_USERNAME',
  QELOS_EMAIL: 'QELOS_USERNAME',
  QELOS_LOGIN: 'QELOS_USERNAME',
  QELOS_PASS: 'QELOS_PASSWORD',
  QELOS_PWD: 'QELOS_PASSWORD',
  QELOS_HOST: 'QELOS_URL',
  QELOS_BASE_URL: 'QELOS_URL',
  QELOS_API_URL: 'QELOS_URL',
  QELOS_SERVER: 'QELOS_URL',
  QELOS_WORKSPACE_ID: 'QELOS_WORKSPACE',
  QELOS_STRATEGY: 'QELOS_AUTH_STRATEGY',
};

/** The variable that was probably meant by one that nothing reads; undefined if none comes to mind. */
export function likelyMeant(name: string): string | undefined {
  if ((READ as readonly string[]).includes(name)) return undefined;
  return OTHER_NAMES[name] ?? READ.find((known) => isNear(name, known));
}

/** Whether at most two letters have to be changed, added or taken away (Levenshtein's distance). */
function isNear(a: string, b: string): boolean {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return (row[b.length] as number) <= 2;
}
