import type { AxiosInstance, AxiosRequestConfig, AxiosResponse } from 'axios';
import { axiosInUse } from '../http/axios';
import { messageOf } from '../qelos/refusal';

/** What came of a call: an answer, or the code of the fault that kept it from coming. */
export type Outcome =
  | { readonly answer: Answer; readonly fault?: never }
  | { readonly fault: string; readonly answer?: never };

/** An answer, as far as a check may look at it. */
export interface Answer {
  readonly status: number;
  readonly data: unknown;
  /** Milliseconds until it was all there. */
  readonly durationMs: number;
  /** Value of a header, if it is there once. */
  header(name: string): string | undefined;
}

/** Settings that end a call in time, also where its answer drips in byte by byte. */
export function within(timeoutMs: number): Pick<AxiosRequestConfig, 'timeout' | 'signal'> {
  return { timeout: timeoutMs, signal: AbortSignal.timeout(timeoutMs) };
}

/** Longest text of a server that is shown. */
const MAX_SHOWN = 200;

/**
 * Calls once, without credential, and follows no redirect. Whatever is answered is an outcome, and so is no answer.
 *
 * @param http - an instance that knows `skipAuth`, or has no credential at all
 */
export async function callAnonymously(http: AxiosInstance, path: string, timeoutMs: number): Promise<Outcome> {
  const config: AxiosRequestConfig = {
    url: path,
    skipAuth: true,
    maxRedirects: 0,
    ...within(timeoutMs),
    maxContentLength: 1024 * 1024,
    validateStatus: null,
  };
  const start = performance.now();
  try {
    return { answer: answerFrom(await http.request(config), start) };
  } catch (error) {
    // axios' own adapter throws a redirect that it was told not to follow.
    if (axiosInUse().isAxiosError(error) && error.response) return { answer: answerFrom(error.response, start) };
    return { fault: faultCodeOf(error) };
  }
}

export function answerFrom({ status, data, headers }: AxiosResponse, start: number): Answer {
  return {
    status,
    data,
    durationMs: Math.round(performance.now() - start),
    header: (name) => {
      const value: unknown = headers?.[name];
      return typeof value === 'string' ? value : undefined;
    },
  };
}

/** The code of whatever kept an answer from coming; that of a cause, where the error itself has a general one. */
function faultCodeOf(error: unknown): string {
  const general = new Set(['ERR_NETWORK', 'ERR_BAD_RESPONSE']);
  let found: string | undefined;
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (!('code' in at) || typeof at.code !== 'string') continue;
    found = at.code;
    if (!general.has(found)) break;
  }
  return found === 'ERR_CANCELED' ? 'ECONNABORTED' : (found ?? 'network fault');
}

/** What an answer is, in a few words: status, kind of content, and who says to have sent it. */
export function describe(answer: Answer): string {
  const type = answer.header('content-type')?.split(';', 1)[0];
  const kind = type === undefined ? 'no content' : type;
  const via = ['via', 'server'].flatMap((name) => {
    const value = answer.header(name);
    return value === undefined ? [] : [`${name}: ${shown(value)}`];
  });
  return [`HTTP status ${answer.status}`, kind, ...via].join(', ');
}

/** What a server said, as its JSON message; undefined if it said nothing in that form. */
export function saidBy(data: unknown): string | undefined {
  const message = messageOf(data);
  return message === undefined ? undefined : shown(message);
}

/** A server may repeat what it was sent. So long runs without a blank, as secrets are, do not show. */
function shown(text: string): string {
  const masked = text.replace(/[\w\-.+/=~]{16,}/g, (run) => (/\d/.test(run) ? '[hidden]' : run));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they could steer the terminal
  return masked.slice(0, MAX_SHOWN).replace(/[\x00-\x1f\x7f-\x9f]/g, ' ');
}

/** Whether Qelos' auth service gave this answer to a call without a credential. */
export function isAnonymousRefusal({ status, data }: Answer): boolean {
  return status === 401 && messageOf(data) === 'you are not authorized. must be logged in.';
}
