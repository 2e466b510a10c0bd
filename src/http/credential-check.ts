import type { AxiosInstance, InternalAxiosRequestConfig } from 'axios';
import type { Credential } from '../contract/credential';
import type { CredentialManager } from '../credentials/credential-manager';
import { type ApiRefusal, type Standing, saidBy } from '../qelos/refusal';
import { axiosInUse } from './axios';

/** Where credentials come from, and where it is told how they fared. */
export interface CredentialSource extends Pick<CredentialManager, 'get' | 'stageOf' | 'mayHaveEnded' | 'replayed'> {
  /** What a refusal means where it does not mean what it does to the plugin's own account. */
  explain?: (refusal: ApiRefusal) => ApiRefusal;
}

type Headers = InternalAxiosRequestConfig['headers'];

/** What the auth service is asked with. */
export interface CheckOptions {
  readonly source: CredentialSource;
  /** The bare client for the instance, which ends with the signal. */
  client(signal: AbortSignal): AxiosInstance;
  /** Headers with the credential on them. */
  headersFor(request: InternalAxiosRequestConfig, credential: Credential): Promise<Headers>;
}

const ME = '/api/me';

/** An auth service whose database hangs answers after 30 s: so long nobody waits for it. */
const PATIENCE_MS = 5_000;
/** So long an answer is believed: a wrong path costs the auth service no more than one request in this time. */
const REMEMBERED_MS = 30_000;
/** A refusal leads to a renewal, so it is remembered for the calls of the same moment only. */
const REFUSAL_REMEMBERED_MS = 1_000;

interface Check {
  readonly credential: Credential;
  readonly standing: Promise<Standing>;
  /** What was answered, and until when on the monotonic clock that holds; nothing while the answer is awaited. */
  answered?: { readonly said: Standing; readonly until: number };
}

// Both are kept by account and not by handle: a tenant's handles come and go.
/** The last check of each account. */
const checks = new WeakMap<CredentialSource, Check>();
/** The credential of each account that was accepted last, or that it is no use to wait for any longer. */
const known = new WeakMap<CredentialSource, Credential>();

/** Notes that the server has had the time to know a credential: from now on a refusal counts. */
export function noteKnown(source: CredentialSource, credential: Credential): void {
  if (known.get(source) !== credential) known.set(source, credential);
}

/** Whether the server is known to know a credential. */
export function isKnown(source: CredentialSource, credential: Credential): boolean {
  return known.get(source) === credential;
}

/**
 * What the auth service says of a credential: one `GET /api/me` with it, for all calls of that moment, remembered for 30 s;
 * not where the credential may have ended meanwhile. One that was replaced is not asked about: its successor is at hand.
 *
 * @returns at once what is known; else a promise, which never rejects
 */
export function standingOf(credential: Credential, options: CheckOptions): Standing | Promise<Standing> {
  const { source } = options;
  const stage = source.stageOf(credential);
  if (stage === 'replaced') return 'refused';
  const last = checks.get(source);
  if (last?.credential === credential) {
    const { answered } = last;
    if (!answered) return last.standing;
    // One that was good may have ended since; one that was refused stays so.
    const holds = stage === 'living' || answered.said === 'refused';
    if (holds && performance.now() < answered.until) return answered.said;
  }
  const standing = ask(credential, options);
  const check: Check = { credential, standing };
  checks.set(source, check);
  standing.then((said) => {
    const forMs = said === 'refused' ? REFUSAL_REMEMBERED_MS : REMEMBERED_MS;
    check.answered = { said, until: performance.now() + forMs };
  });
  return standing;
}

async function ask(credential: Credential, { client, headersFor }: CheckOptions): Promise<Standing> {
  try {
    const http = client(AbortSignal.timeout(PATIENCE_MS));
    const { baseURL = '' } = http.defaults;
    const request = { method: 'get', url: ME, baseURL, headers: new (axiosInUse().AxiosHeaders)() };
    const headers = await headersFor(request, credential);
    const { status, data } = await http.get(ME, { headers, validateStatus: null });
    if (status === 200) return typeof data === 'object' && data !== null ? 'good' : 'nobody';
    if (status === 401) return saidBy({ status, data }) === 'unchecked' ? 'untold' : 'refused';
    return status >= 500 || status === 429 || status === 408 ? 'untold' : 'nobody';
  } catch {
    return 'untold'; // no answer, or none in time
  }
}
