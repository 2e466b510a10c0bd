import { spinner } from '@clack/prompts';
import { type AuthError, type CheckOutcome, type Diagnosis, diagnose, type QelosAuth } from '../index';
import { checkConfiguration, checkSpelling } from './configuration-checks';
import { addressOf, type Context, isOfConfiguration, openAccount } from './context';
import { UsageError } from './failures';
import { wrapped } from './layout';
import { checkToken } from './token-check';

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
  const before = [checkConfiguration(context, auth, fault), ...checkSpelling(context)];
  const address = auth === undefined ? usableAddress(context) : undefined;
  const target = auth ?? (address === undefined ? undefined : { url: address });
  const inner = target && (await diagnose(target, options));
  const after = auth && inner ? await checkToken(context, auth, inner) : [];
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
