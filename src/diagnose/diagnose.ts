import type { AxiosInstance } from 'axios';
import { isLoopback } from '../config';
import { axiosInUse } from '../http/axios';
import { QelosAuth } from '../qelos-auth';
import { checkAccount, checkProbe, type ProbeCall, withoutAccount } from './account';
import { callAnonymously } from './answer';
import { checkCertificate, checkDns } from './certificate';
import { type Check, type Diagnosis, diagnosisOf, ok, warning } from './diagnosis';
import { checkClock, checkServer, isQelos, type Seen } from './server';

export interface DiagnoseOptions {
  /** A call of yours to make with the account's credential, such as the one that fails. Default: none. */
  readonly probe?: ProbeCall | undefined;
  /** Milliseconds that each call may take. Signing in has `config.timeoutMs` besides. Default: 10,000. */
  readonly timeoutMs?: number | undefined;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/** A path of a service other than auth, which answers to everybody, be it with 401. */
const OTHER_SERVICE = '/api/blueprints/qelos-auth/entities';

/** What is under way, so that a health endpoint that is asked often does not ask the server as often. */
const underWay = new WeakMap<QelosAuth, Promise<Diagnosis>>();

/**
 * Finds out why calls fail, or that they don't: looks at the URL, DNS, certificate and server without a credential, then signs
 * in, asks whose the credential is, and makes a call of yours. It changes nothing, follows no redirect, and sends a
 * credential only to what answers as Qelos does. It costs the server two to five requests; diagnoses of one account that
 * are asked for while one without a probe is under way share it. A refused sign-in is not tried again before its time.
 *
 * ```ts
 * app.get('/health/qelos', async (request, reply) => {
 *   const diagnosis = await diagnose(auth);
 *   return reply.code(diagnosis.outcome === 'failed' ? 503 : 200).send(diagnosis);
 * });
 * ```
 *
 * @param target - an account; or a URL alone, of which only what is seen from outside is looked at
 * @returns never rejects for what it finds: that is what the checks are for
 */
export function diagnose(
  target: QelosAuth | { readonly url: string },
  options: DiagnoseOptions = {},
): Promise<Diagnosis> {
  if (!(target instanceof QelosAuth)) {
    return run(target.url, axiosInUse().create({ baseURL: target.url }), undefined, options);
  }
  const { http } = target;
  const running = options.probe === undefined ? underWay.get(target) : undefined;
  if (running !== undefined) return running;
  const started = run(http.defaults.baseURL ?? '', http, target, options);
  if (options.probe === undefined) {
    underWay.set(target, started);
    const end = () => underWay.delete(target);
    started.then(end, end);
  }
  return started;
}

async function run(
  base: string,
  http: AxiosInstance,
  auth: QelosAuth | undefined,
  { probe, timeoutMs = DEFAULT_TIMEOUT_MS }: DiagnoseOptions,
): Promise<Diagnosis> {
  const url = new URL(base);
  const seen = await lookFromOutside(url, http, timeoutMs);
  const { answer, fault } = seen.outcome;
  const checks = [checkScheme(url), await checkDns(url.hostname, answer !== undefined)];
  if (url.protocol === 'https:') checks.push(await checkCertificate(url, fault));
  checks.push(checkServer(seen));
  if (answer !== undefined) checks.push(checkClock(seen));
  if (auth !== undefined) checks.push(...(await lookFromInside(auth, seen, probe, timeoutMs)));
  return diagnosisOf(base, auth?.strategy.name, checks);
}

async function lookFromOutside(url: URL, http: AxiosInstance, timeoutMs: number): Promise<Seen> {
  const outcome = await callAnonymously(http, '/api/me', timeoutMs);
  const isDown = outcome.answer !== undefined && outcome.answer.status >= 500;
  const other = isDown ? await callAnonymously(http, OTHER_SERVICE, timeoutMs) : undefined;
  return { url, outcome, otherService: other?.answer?.status, timeoutMs };
}

async function lookFromInside(
  auth: QelosAuth,
  seen: Seen,
  probe: ProbeCall | undefined,
  timeoutMs: number,
): Promise<Check[]> {
  const wanted = probe === undefined ? [] : (['probe'] as const);
  if (!isQelos(seen)) {
    const why = 'not tried: a credential is sent only to what answers as Qelos does';
    return withoutAccount(why, ['sign-in', ...wanted]);
  }
  const checks = await checkAccount(auth, timeoutMs);
  if (probe === undefined) return checks;
  if (checks.some(({ outcome }) => outcome === 'failed'))
    return [...checks, ...withoutAccount('not made: a check before it failed', wanted)];
  return [...checks, await checkProbe(auth, probe, timeoutMs)];
}

function checkScheme(url: URL): Check {
  if (url.protocol === 'https:' || isLoopback(url.hostname)) return ok('url', url.href.replace(/\/$/, ''));
  return warning(
    'url',
    `${url.href.replace(/\/$/, '')} is not https.`,
    'Credentials are sent unencrypted: everybody on the way can read and use them.',
    `Set QELOS_URL=https://${url.host}`,
  );
}
