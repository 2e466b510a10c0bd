import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AuthError, createQelosAuth, isAuthError, loadAuthConfig, type QelosAuth } from '../index';
import { CommandFailed, UsageError } from './failures';
import { readSettings, type Settings } from './settings';
import type { Terminal } from './terminal';

/** Options that every command takes. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly env?: string;
  readonly envFile?: string;
}

/** What a command works with. */
export interface Context {
  readonly terminal: Terminal;
  readonly cwd: string;
  readonly settings: Settings;
  readonly json: boolean;
}

/** Reads the settings, and hides their secrets in all output from then on. */
export function openContext(
  terminal: Terminal,
  cwd: string,
  processEnv: NodeJS.ProcessEnv,
  options: CommonOptions,
): Context {
  const settings = readSettings(processEnv, { cwd, envName: options.env, envFile: options.envFile });
  for (const { name, value } of settings.qelos) if (isSecret(name)) terminal.hide(value);
  return { terminal, cwd, settings, json: options.json === true };
}

/** Misspelt names have secrets too. */
const isSecret = (name: string) => /TOKEN|KEY|PASS|PWD|SECRET/.test(name) && !name.endsWith('_FILE');

/** The token in use: its first characters, as `tokens list` shows them, and never more. */
export function tokenPrefix({ settings, cwd }: Context, strategy: TokenStrategy): string | undefined {
  const token = tokenOf(settings, cwd, strategy);
  return token?.slice(0, 8);
}

/** A strategy as {@link QelosAuth.strategy} names it. */
type TokenStrategy = Pick<QelosAuth['strategy'], 'name' | 'source'>;

/** The configured API token, for a strategy that has one; undefined if it cannot be read here. */
export function tokenOf({ env }: Settings, cwd: string, { name, source }: TokenStrategy): string | undefined {
  try {
    if (name === 'api-token') return env['QELOS_API_TOKEN']?.trim();
    if (name === 'api-token-file') {
      return readFileSync(resolve(cwd, env['QELOS_API_TOKEN_FILE'] ?? ''), 'utf8').trim();
    }
    if (name !== 'cli-login' || !source?.startsWith('~')) return undefined; // a project's file is read by the library alone
    const file = join(env['HOME'] || env['USERPROFILE'] || '', '.qelos', 'credentials.json');
    const { apiToken }: { apiToken?: unknown } = JSON.parse(readFileSync(file, 'utf8'));
    return typeof apiToken === 'string' ? apiToken.trim() : undefined;
  } catch {
    return undefined;
  }
}

/** How calls are made: somebody is waiting at the terminal, so each has an end. */
export const CALLS = { timeout: 20_000 };

/** The account that the settings give. */
export function openAccount({ settings: { env } }: Context, timeoutMs?: number): QelosAuth {
  return createQelosAuth({ env, axios: CALLS, ...(timeoutMs !== undefined && { config: { timeoutMs } }) });
}

/**
 * The address of the instance, where the rest of the settings may be wrong.
 *
 * @param allowInsecureUrl - only where no credential is sent
 */
export function addressOf({ settings: { env } }: Context, allowInsecureUrl = false): string {
  const { QELOS_URL, QELOS_APP_URL } = env;
  return loadAuthConfig({ QELOS_URL, QELOS_APP_URL }, { allowInsecureUrl }).url;
}

const OF_CONFIGURATION: readonly string[] = ['ERR_AUTH_CONFIG', 'ERR_AUTH_INSECURE_URL', 'ERR_AUTH_NO_STRATEGY'];

/** Whether the settings are at fault, rather than what they led to. */
export function isOfConfiguration(error: unknown): error is AuthError {
  return isAuthError(error) && OF_CONFIGURATION.includes(error.code);
}

/** The exit code that a failure ends the command with. */
export function exitCodeOf(error: unknown): 1 | 2 {
  return error instanceof UsageError || isOfConfiguration(error) ? 2 : 1;
}

/** What a failure says to the person at the terminal, and what to do; of a fault of our own its text too. */
export function explain(error: unknown): { code?: string; message: string; hint: string } {
  if (isAuthError(error)) return { code: error.code, message: error.message, hint: error.hint };
  if (error instanceof UsageError || error instanceof CommandFailed) {
    return { message: error.message, hint: error.hint };
  }
  return {
    message: error instanceof Error ? `${error.name}: ${error.message}` : 'Something that is no error was thrown.',
    hint: 'This is a fault of qelos-auth. Please report it, with the command and this text.',
  };
}
