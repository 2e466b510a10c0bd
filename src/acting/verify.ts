import type { AxiosInstance } from 'axios';
import { AuthError } from '../contract/auth-error';
import { type Credential, headersOf } from '../contract/credential';
import { systemClock } from '../credentials/clock';
import { errorFromAnswer, toAuthError } from '../credentials/obtain-errors';
import { inOwnContext } from '../credentials/own-context';
import { keyOf, RecentMap } from '../credentials/recent-map';
import { within } from '../http/deadline';
import { saidBy } from '../qelos/refusal';
import type { IUser } from '../sdk/qelos-sdk.types';
import { notChecked } from '../strategies/api-token';
import { noSession } from '../strategies/sign-in-sdk';
import { type IncomingSource, incomingCredential } from './incoming-credential';

export interface VerifyOptions {
  /** Milliseconds for which an answer counts, a refusal too. 0: it is asked each time. Default: 10,000. */
  maxAgeMs?: number;
}

/** What was asked about a credential. Rejects with an AuthError that several wait for. */
interface Asked {
  readonly at: number;
  readonly answer: Promise<IUser | undefined>;
  isOver: boolean;
}

const MAX_AGE_MS = 10_000;
/** Callers whose answers are kept: a kilobyte each. The ones beyond are asked about again. */
const MOST_KEPT = 1_000;
const OPERATION = 'check of the caller';

/** Says whose credentials come in. */
export class Verifier {
  readonly #client: (signal: AbortSignal) => AxiosInstance;
  readonly #timeoutMs: number;
  /** By the hash of the credential, which itself is not kept. */
  readonly #asked = new RecentMap<Asked>(MOST_KEPT);

  /**
   * @param client - the bare one: to the instance alone, without a credential and without redirects
   * @param timeoutMs - for one question
   */
  constructor(client: (signal: AbortSignal) => AxiosInstance, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  async verify(source: IncomingSource, { maxAgeMs = MAX_AGE_MS }: VerifyOptions = {}): Promise<IUser | undefined> {
    if (!(maxAgeMs >= 0)) throw malformedAge();
    const credential = incomingCredential(source);
    if (credential === undefined) return undefined;
    const key = keyOf(headersOf(credential));
    const last = this.#asked.get(key);
    const counts = last && (!last.isOver || systemClock.now() - last.at < maxAgeMs);
    const { answer } = counts ? last : this.#begin(key, credential);
    try {
      return structuredClone(await answer); // nobody gets what somebody else has changed
    } catch (error) {
      throw error instanceof AuthError ? error.again() : error;
    }
  }

  #begin(key: string, credential: Credential): Asked {
    const answer = inOwnContext(() => this.#ask(credential));
    const asked: Asked = { at: systemClock.now(), answer, isOver: false };
    this.#asked.set(key, asked);
    answer.then(
      () => {
        asked.isOver = true;
      },
      () => this.#asked.delete(key), // an outage is not remembered
    );
    return asked;
  }

  /** Whose the credential is; undefined if Qelos refuses it. */
  async #ask(credential: Credential): Promise<IUser | undefined> {
    const headers = headersOf(credential);
    const config = { headers, validateStatus: () => true };
    const send = (signal = new AbortController().signal) => this.#client(signal).get<unknown>('/api/me', config);
    try {
      const answer = await within(this.#timeoutMs, send, tookTooLong);
      const said = saidBy(answer);
      if (said === 'unchecked') throw notChecked();
      if (said === 'refused' || said === 'unclear') return undefined; // nobody else answers for the auth service here
      const { status, data } = answer;
      if (status !== 200) throw errorFromAnswer(OPERATION, { status, retryAfter: answer.headers['retry-after'] });
      if (typeof data !== 'object' || data === null || !('_id' in data)) throw noSession(OPERATION);
      return data as IUser;
    } catch (error) {
      throw toAuthError(error, OPERATION, 'verify');
    }
  }
}

function tookTooLong(ms: number): AuthError {
  return new AuthError('ERR_AUTH_UNAVAILABLE', `The ${OPERATION} was not answered within ${ms} ms.`, {
    hint: 'The Qelos instance does not answer, or too slowly. Answer the caller with 503. Check that QELOS_URL can be reached.',
    retryable: true,
  });
}

function malformedAge(): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', 'maxAgeMs of verify() is no number of milliseconds from 0 on.', {
    hint: 'Leave it out for 10,000, or pass a number.',
  });
}
