import { AxiosHeaders, type AxiosInstance, type InternalAxiosRequestConfig } from 'axios';
import type { Credential } from '../contract/credential';
import type { CredentialManager } from '../credentials/credential-manager';
import { type Standing, saidBy } from '../qelos/refusal';

/** Where credentials come from, and where it is told how they fared. */
export type CredentialSource = Pick<CredentialManager, 'get' | 'mayHaveEnded' | 'replayed'>;

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
  answered?: { readonly isRefusal: boolean; readonly until: number };
}

/** The last check of each account. Kept by account and not by handle: a tenant's handles come and go. */
const checks = new WeakMap<CredentialSource, Check>();

/**
 * What the auth service says of a credential: one `GET /api/me` with it, for all calls of that moment, remembered for 30 s;
 * not where the credential may have ended meanwhile. Never rejects.
 */
export function standingOf(credential: Credential, options: CheckOptions): Promise<Standing> {
  const { source } = options;
  const last = checks.get(source);
  if (last?.credential === credential && isValid(last, source)) return last.standing;
  const standing = ask(credential, options);
  const check: Check = { credential, standing };
  checks.set(source, check);
  standing.then((said) => {
    const isRefusal = said === 'refused';
    check.answered = { isRefusal, until: performance.now() + (isRefusal ? REFUSAL_REMEMBERED_MS : REMEMBERED_MS) };
  });
  return standing;
}

/** Whether a check still tells something: a credential that was good may have ended, one that was refused stays so. */
function isValid({ credential, answered }: Check, source: CredentialSource): boolean {
  if (!answered) return true;
  return performance.now() < answered.until && (answered.isRefusal || !source.mayHaveEnded(credential));
}

async function ask(credential: Credential, { client, headersFor }: CheckOptions): Promise<Standing> {
  try {
    const http = client(AbortSignal.timeout(PATIENCE_MS));
    const { baseURL = '' } = http.defaults;
    const request = { method: 'get', url: ME, baseURL, headers: new AxiosHeaders() };
    const headers = await headersFor(request, credential);
    const { status, data } = await http.get(ME, { headers, validateStatus: null });
    if (status === 200) return typeof data === 'object' && data !== null ? 'good' : 'nobody';
    if (status === 401) return saidBy({ status, data }) === 'unchecked' ? 'untold' : 'refused';
    return status >= 500 || status === 429 || status === 408 ? 'untold' : 'nobody';
  } catch {
    return 'untold'; // no answer, or none in time
  }
}
