import { spinner } from '@clack/prompts';
import {
  type AuthError,
  type Check,
  type CheckOutcome,
  type Diagnosis,
  diagnose,
  isAuthError,
  type QelosAuth,
} from '../index';
import { addressOf, type Context, isOfConfiguration, openAccount, tokenOf } from './context';
import { dayOf, lifeLeft } from './expiry';
import { UsageError } from './failures';
import { wrapped } from './layout';
import { TokenSession } from './session';
import { likelyMeant } from './settings';
import { expiresSoon } from './tokens';

export interface DoctorOptions {
  readonly probe?: string;
  readonly timeout?: string;
}

/** What the command found: a {@link Diagnosis}, and whether settings are at fault. */
interface Findings {
  readonly diagnosis: Diagnosis;
  readonly isMisconfigured: boolean;
}

/** Finds out why calls fail, and says so. Returns the exit code. */
export async function doctor(context: Context, options: DoctorOptions): Promise<0 | 1 | 2> {
  const { terminal, json } = context;
  const probe = options.probe === undefined ? undefined : readProbe(options.probe);
  const timeoutMs = options.timeout === undefined ? undefined : readSeconds(options.timeout);
  const moving =
    terminal.isAnimated && !json ? spinner({ output: terminal.streams.output, withGuide: false }) : undefined;
  moving?.start('Looking at the instance');
  let found: Findings;
  try {
    found = await examine(context, { ...(probe && { probe }), ...(timeoutMs !== undefined && { timeoutMs }) });
  } finally {
    moving?.clear();
  }
  const { diagnosis, isMisconfigured } = found;
  if (json) terminal.printJson(diagnosis);
  else printDiagnosis(context, diagnosis);
  if (isMisconfigured) return 2;
  return diagnosis.outcome === 'failed' ? 1 : 0;
}

function readProbe(text: string): { method: 'GET' | 'HEAD'; path: string } {
  const [, method, path] = /^(?:([A-Za-z]+)\s+)?(\/[^\s]*)$/.exec(text.trim()) ?? [];
  const verb = (method ?? 'GET').toUpperCase();
  if (path === undefined || path.startsWith('//')) {
    throw new UsageError(`--probe takes a method and a path.`, 'Such as: --probe "GET /api/users"');
  }
  if (verb !== 'GET' && verb !== 'HEAD') {
    throw new UsageError(
      `--probe takes GET or HEAD, not ${verb}: a diagnosis changes nothing.`,
      'Probe a GET of the same route: it asks for the same credential.',
    );
  }
  return { method: verb, path };
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 600)) {
    throw new UsageError('--timeout takes a number of seconds, up to 600.', 'Such as: --timeout 30');
  }
  return seconds * 1000;
}

async function examine(context: Context, options: Parameters<typeof diagnose>[1]): Promise<Findings> {
  let auth: QelosAuth | undefined;
  let fault: AuthError | undefined;
  try {
    auth = openAccount(context, options?.timeoutMs);
  } catch (error) {
    if (!isOfConfiguration(error)) throw error;
    fault = error;
  }
  const before = [configurationOf(context, auth, fault), ...misspelt(context)];
  const address = auth === undefined ? usableAddress(context) : undefined;
  const target = auth ?? (address === undefined ? undefined : { url: address });
  const inner = target && (await diagnose(target, options));
  const after = auth && inner ? await tokenLife(context, auth, inner) : [];
  await auth?.close();
  const checks = [...before, ...(inner?.checks ?? []), ...after];
  const has = (outcome: CheckOutcome) => checks.some((check) => check.outcome === outcome);
  const diagnosis: Diagnosis = {
    ...inner,
    url: inner?.url ?? '',
    checkedAt: inner?.checkedAt ?? new Date().toISOString(),
    outcome: has('failed') ? 'failed' : has('warning') ? 'warning' : 'ok',
    checks,
  };
  return { diagnosis, isMisconfigured: checks[0]?.outcome === 'failed' };
}

/** What can be looked at without an account. Sent there is nothing but a call without a credential. */
function usableAddress(context: Context): string | undefined {
  try {
    return addressOf(context, true);
  } catch {
    return undefined;
  }
}

/** Which variables count, and where they come from. */
function configurationOf(context: Context, auth: QelosAuth | undefined, fault: AuthError | undefined): Check {
  const { qelos } = context.settings;
  const from = qelos.map(({ name, source }) => `${name} from ${source}`).join(', ') || 'no variable of Qelos is set';
  if (auth === undefined) return unusable(context, fault as AuthError, from);
  const strategy = auth.strategy.name;
  const token = tokenOf(context.settings, context.cwd, strategy);
  if (token !== undefined && !/^ql_[0-9a-f]{64}$/.test(token)) {
    return {
      id: 'configuration',
      outcome: 'warning',
      seen: `The API token has ${token.length} characters and is not of the form "ql_" and 64 hexadecimal digits. (${from})`,
      meaning: 'It was mistyped, or cut off when it was copied.',
      next: 'Copy it again; or make a new one: npx qelos-auth tokens create',
    };
  }
  if (strategy === 'oauth-refresh') {
    return {
      id: 'configuration',
      outcome: 'warning',
      seen: from,
      meaning:
        'A password is used where a token would do. It opens everything that its user may do, has no end, and cannot be revoked for this plugin alone. Qelos recommends an API token.',
      next: 'npx qelos-auth migrate',
    };
  }
  return { id: 'configuration', outcome: 'ok', seen: `${from}${unused(context, strategy)}` };
}

function unusable(context: Context, { code, message, hint }: AuthError, from: string): Check {
  const own = strategyOfTheirOwn(context);
  if (own !== undefined) {
    return {
      id: 'configuration',
      outcome: 'warning',
      seen: `QELOS_AUTH_STRATEGY names "${own}", which this command does not have. (${from})`,
      meaning: 'It is a strategy of the plugin itself, which only the plugin can run; or the name is mistyped.',
      next: 'Call diagnose(auth) in the plugin: it says the same as this command, of that strategy too.',
    };
  }
  return {
    id: 'configuration',
    outcome: 'failed',
    seen: `${message}\n(${from})`,
    meaning:
      code === 'ERR_AUTH_NO_STRATEGY'
        ? 'A plugin does not start with these settings, unless it has a strategy of its own.'
        : 'A plugin does not start with these settings.',
    next: hint,
  };
}

const BUILT_IN: readonly string[] = ['api-token', 'oauth-refresh', 'cli-login'];

/** The strategy that is pinned, if it is none of the library's. */
function strategyOfTheirOwn({ settings: { env } }: Context): string | undefined {
  const pinned = env['QELOS_AUTH_STRATEGY']?.trim();
  return pinned === undefined || BUILT_IN.includes(pinned) ? undefined : pinned;
}

/** The settings that are there and not used, with the reason. */
function unused({ settings: { env } }: Context, strategy: string): string {
  if (strategy !== 'api-token' || !env['QELOS_USERNAME'] || !env['QELOS_PASSWORD']) return '';
  return '; oauth-refresh is not used, as api-token comes first';
}

function misspelt({ settings: { qelos } }: Context): Check[] {
  return qelos.flatMap(({ name, source }): Check[] => {
    const meant = likelyMeant(name);
    if (meant === undefined) return [];
    return [
      {
        id: 'spelling',
        outcome: 'warning',
        seen: `${name} (${source}) is read by nothing.`,
        meaning: `${meant} was probably meant.`,
        next: `Rename it to ${meant}, or remove it.`,
      },
    ];
  });
}

/** End and last use of the API token: Qelos tells them to a session alone, so where there is a password too. */
async function tokenLife(context: Context, auth: QelosAuth, { checks }: Diagnosis): Promise<Check[]> {
  const { settings, cwd, terminal } = context;
  const { name } = auth.strategy;
  if (name !== 'api-token' && name !== 'cli-login') return [];
  const isTried = checks.some(({ id, outcome }) => id === 'sign-in' && outcome !== 'skipped');
  const prefix = tokenOf(settings, cwd, name)?.slice(0, 8);
  if (!isTried || prefix === undefined) return [];
  if (!settings.env['QELOS_USERNAME'] || !settings.env['QELOS_PASSWORD']) {
    const why =
      'end and last use are not known: Qelos tells them to a session alone ("npx qelos-auth tokens list" asks for the password)';
    return [{ id: 'token', outcome: 'skipped', seen: why }];
  }
  try {
    const tokens = await TokenSession.use(context, (session) => session.list());
    const listed = tokens.find(({ tokenPrefix }) => tokenPrefix === prefix);
    return [listed === undefined ? notListed(prefix) : listedToken(listed)];
  } catch (error) {
    terminal.hide(settings.env['QELOS_PASSWORD']);
    const seen = isAuthError(error) ? error.message : 'the list could not be had';
    return [{ id: 'token', outcome: 'skipped', seen: `end and last use are not known: ${seen}` }];
  }
}

function notListed(prefix: string): Check {
  return {
    id: 'token',
    outcome: 'warning',
    seen: `The user of QELOS_USERNAME has no token that begins with ${prefix}.`,
    meaning: 'The token was revoked or has expired, or it is one of another user.',
    next: 'npx qelos-auth tokens create',
  };
}

type Listed = Awaited<ReturnType<TokenSession['list']>>[number];

function listedToken(token: Listed): Check {
  const end = new Date(token.expiresAt);
  const used = token.lastUsedAt === null ? 'never used' : `last used ${dayOf(new Date(token.lastUsedAt))}`;
  const seen = `"${token.nickname}" (${token.tokenPrefix}) ends ${dayOf(end)}, in ${lifeLeft(end)}; ${used}`;
  if (!expiresSoon(token)) return { id: 'token', outcome: 'ok', seen };
  return {
    id: 'token',
    outcome: 'warning',
    seen,
    meaning: 'From then on every call is refused. Qelos gives no warning of its own.',
    next: `npx qelos-auth tokens rotate ${token._id}`,
  };
}

const SIGNS: Readonly<Record<CheckOutcome, readonly [sign: string, style: 'green' | 'yellow' | 'red' | 'dim']>> = {
  ok: ['✓', 'green'],
  warning: ['!', 'yellow'],
  failed: ['✗', 'red'],
  skipped: ['-', 'dim'],
};

/** The longest name of a check, and two blanks. */
const COLUMN = 15;

function printDiagnosis({ terminal }: Context, { checks }: Diagnosis): void {
  for (const { id, outcome, seen, meaning, next } of checks) {
    const [sign, style] = SIGNS[outcome];
    const indent = ' '.repeat(COLUMN + 2);
    const paragraphs = [
      ...seen.split('\n'),
      ...(meaning === undefined ? [] : [`It can mean: ${meaning}`]),
      ...(next === undefined ? [] : [`Next: ${next}`]),
    ];
    const lines = paragraphs.flatMap((text) => wrapped(text, terminal.columns - indent.length));
    terminal.print(`${terminal.styled(style, sign)} ${id.padEnd(COLUMN)}${lines.join(`\n${indent}`)}`);
  }
  const count = (outcome: CheckOutcome) => checks.filter((check) => check.outcome === outcome).length;
  const [ill, odd] = [count('failed'), count('warning')];
  terminal.print(ill + odd === 0 ? '\nAll is well.' : `\nFailed: ${ill}. To look at: ${odd}.`);
}
