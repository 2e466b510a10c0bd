import { existsSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { faultOf } from '../config';
import { given } from '../own-properties';
import { readSecretFileSync, type UnreadableFile } from './secret-file';

/** A file of the Qelos CLI. */
export interface CliFile {
  /** As its user knows it. */
  readonly name: string;
  readonly path: string;
  /** The names by which it holds an instance's URL and an API token for that. */
  readonly keys: { readonly url: string; readonly token: string };
  /** What writes a good one. */
  readonly repair: string;
}

/** What such a file says; of what cannot be used, why. */
export interface CliContent {
  /** Absent: none, none that is a URL, or one that others could have written. */
  readonly url?: string;
  readonly token?: string;
  /** Whether it holds anything for a token, usable or not. */
  readonly hasToken?: boolean;
  /** Why there is no token that can be used. */
  readonly lacks?: string;
}

/** In the order in which the CLI looks for them (tools/cli/services/config/load-config.mjs, seen at 0d9445196294). */
const PROJECT_FILES = ['qelos.config.json', 'qelos.config.yaml', 'qelos.config.yml'];

/**
 * The log-in of the CLI, which `saveCredentials` of tools/cli/services/config/credentials.mjs in qelos-io/qelos (seen at
 * 5377143f8f6e) writes: `{ appUrl, apiToken, user, createdAt }`, with the right to read it taken from everybody else, except on
 * Windows. Undefined without a home.
 */
export function loginFile(env: Readonly<Record<string, string | undefined>>): CliFile | undefined {
  const home = given(env, 'HOME') || given(env, 'USERPROFILE');
  if (!home) return undefined;
  return {
    name: '~/.qelos/credentials.json',
    path: join(home, '.qelos', 'credentials.json'),
    keys: { url: 'appUrl', token: 'apiToken' },
    repair: 'run "qelos auth login"',
  };
}

/** The project's configuration in a folder: the first that is there. */
export function projectFile(folder: string): CliFile | undefined {
  const name = PROJECT_FILES.find((file) => existsSync(join(folder, file)));
  return name === undefined
    ? undefined
    : {
        name,
        path: join(folder, name),
        keys: { url: 'qelosUrl', token: 'qelosApiToken' },
        repair: 'write "qelosApiToken" into it, on one line',
      };
}

/**
 * Reads at once, as it decides on the choice of a strategy; the file is small and on the developer's own machine.
 *
 * @param wanted - the origin that a token has to be for
 */
export function readCliFile({ name, path, keys, repair }: CliFile, wanted?: string): CliContent {
  let text: string;
  let stats: Stats | undefined;
  try {
    text = readSecretFileSync(path, (found) => {
      stats = found;
    });
  } catch (error) {
    const { reason } = error as UnreadableFile;
    if (reason === 'ENOENT') return { lacks: `a log-in of the Qelos CLI (${repair})` };
    return { lacks: `a ${name} that can be read (${reason})` };
  }
  const fields = name.endsWith('.json') ? jsonFields(text) : yamlFields(text);
  const written = fields[keys.url];
  const url = typeof written === 'string' && URL.canParse(written) && !isWrittenByOthers(stats) ? written : undefined;
  const hasToken = typeof fields[keys.token] === 'string';
  const unfit = faultOfOwner(name, stats);
  if (unfit !== undefined) return { ...(url !== undefined && { url }), hasToken, lacks: unfit };
  if (url === undefined) return { lacks: `a ${name} with the URL of an instance in it (${repair})` };
  const { origin } = new URL(url);
  if (wanted !== undefined && origin !== wanted) {
    return { url, lacks: `a log-in of the Qelos CLI to ${wanted} (it is logged in to ${origin})` };
  }
  if (!hasToken) return { url, lacks: `a ${name} with an API token in it (${repair})` };
  const token = String(fields[keys.token]).trim();
  const fault = faultOf(token, true);
  if (fault !== undefined) return { url, hasToken, lacks: `an API token in ${name} (what is there ${fault})` };
  return { url, hasToken, token };
}

/** Somebody else's file could bring somebody else's token. Windows has no such rights; there the user's profile folder has to do. */
function faultOfOwner(name: string, stats: Stats | undefined): string | undefined {
  if (process.platform === 'win32' || stats === undefined) return undefined;
  const { uid, mode } = stats;
  if (uid !== process.getuid?.()) return `a ${name} that belongs to the user who runs this`;
  if ((mode & 0o077) === 0) return undefined;
  return `a ${name} that nobody else may read (its mode is ${(mode & 0o777).toString(8)}: run "chmod 600 ${name}")`;
}

/** A URL is no secret and may be read by anybody, but what others can write leads wherever they like. */
function isWrittenByOthers(stats: Stats | undefined): boolean {
  if (process.platform === 'win32' || stats === undefined) return false;
  return stats.uid !== process.getuid?.() || (stats.mode & 0o002) !== 0;
}

function jsonFields(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
}

/** The texts at the top level of a YAML document that stand on the line of their key: two of them are needed, and no parser for that. */
function yamlFields(text: string): Readonly<Record<string, unknown>> {
  const line = /^(\w+):[ \t]+(?:"([^"\\]*)"|'([^']*)'|([^\s"'#&*!|>{[%@`][^#\r\n]*?))[ \t]*(?:[ \t]#.*)?$/gm;
  const fields: Record<string, unknown> = Object.create(null);
  for (const [, key = '', double, single, plain] of text.matchAll(line)) fields[key] = double ?? single ?? plain;
  return fields;
}
