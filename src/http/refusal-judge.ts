import type { AxiosAdapter, AxiosInstance, AxiosResponse, InternalAxiosRequestConfig } from 'axios';
import type { ApiAnswer, StrategyObject } from '../contract/auth-strategy';
import { type Credential, headersOf } from '../contract/credential';
import type { EventHub } from '../events';
import { explainRefusal, type Standing, saidBy } from '../qelos/refusal';
import { explainAnswer } from './answer';
import { type CredentialSource, standingOf } from './credential-check';
import { credentialHeaders, type FixedHeaders } from './credential-headers';
import type { Exchange } from './exchange';
import type { Origin } from './origin';
import { signedHeaders } from './signing';
import type { Transport } from './transport';
import { isReplayable } from './upload';

export interface RefusalJudgeOptions {
  readonly origin: Origin;
  readonly strategy: StrategyObject;
  readonly source: CredentialSource;
  /** The bare client for the instance, which ends with the signal. */
  client(signal: AbortSignal): AxiosInstance;
  /** The adapter that the bare client sends with, if it is not axios' own. */
  readonly adapter?: InternalAxiosRequestConfig['adapter'];
}

/** What an interceptor is given besides. */
export interface InterceptorOptions extends RefusalJudgeOptions {
  events: Pick<EventHub, 'emit'>;
  /** What axios' http adapter sends with, where a request names nothing else. */
  transport?: Transport | undefined;
  /** What every request has in the place of a caller's own, or has not. */
  headers?: FixedHeaders | undefined;
}

/**
 * - `'refused'`: the credential is not good, and another one may be had.
 * - `'unseen'`: it is good, though the answer is that of one that is not.
 * - `'answered'`: the server has looked at the credential and answered.
 * - `'untold'`: nothing is known.
 */
export type Verdict = 'refused' | 'unseen' | 'answered' | 'untold';

/**
 * Tells a refused credential from whatever else Qelos answers with 401. Texts that are known decide at once; where the text cannot
 * tell, the auth service is asked. A strategy with an `isRejected` of its own is believed.
 */
export class RefusalJudge {
  readonly #options: RefusalJudgeOptions;

  constructor(options: RefusalJudgeOptions) {
    this.#options = options;
  }

  /** What an answer means for the credential that it was given to. A 401 or 403 gains its explanation. */
  async of(exchange: Exchange, credential: Credential, response: AxiosResponse): Promise<Verdict> {
    const { status } = response;
    const isRefusal = status === 401 || status === 403;
    if (!isRefusal && !(status >= 400 && this.#isOwn)) return 'answered';
    const answer = await exchange.read(response);
    const standing =
      !this.#isOwn && saidBy(answer) === 'unclear' ? await this.standing(exchange, credential, response) : undefined;
    if (isRefusal) {
      const apiToken = 'x-api-key' in headersOf(credential);
      const canResend = isReplayable(exchange.request.data);
      const refusal = explainRefusal(answer, apiToken, { standing, canResend });
      explainAnswer(response, this.#options.source.explain?.(refusal) ?? refusal);
    }
    return this.#isOwn ? this.#asTheStrategySays(answer) : this.#verdict(answer, standing, credential);
  }

  /**
   * What the auth service says of a credential, as far as the call can wait for it. `'nobody'` where the call goes by an adapter
   * of somebody's own, such as a mock: that answers for another server than the one which could be asked; or where the strategy
   * judges by itself.
   *
   * @param response - to be let go of before anybody is asked, as its connection may be the only one there is
   */
  async standing(exchange: Exchange, credential: Credential, response: AxiosResponse): Promise<Standing> {
    const { client, source, adapter, origin, strategy } = this.#options;
    const { adapter: chosen } = exchange.config;
    if (this.#isOwn) return 'nobody';
    if (typeof chosen === 'function' && chosen !== (adapter as AxiosAdapter | undefined)) return 'nobody';
    const standing = standingOf(credential, {
      source,
      client,
      headersFor: async (request) =>
        strategy.authorize
          ? signedHeaders(request, credential, strategy, origin)
          : credentialHeaders(request.headers, origin, credential),
    });
    if (typeof standing === 'string') return standing;
    if (!this.#isFinal) exchange.keep(response); // else it is the caller's, whatever is said
    return (await exchange.inTime(standing)) ?? 'untold';
  }

  /** Whether nothing can take the place of a refused credential. */
  get #isFinal(): boolean {
    return this.#options.strategy.isFinal === true;
  }

  get #isOwn(): boolean {
    return this.#options.strategy.isRejected !== undefined && !this.#isFinal;
  }

  #verdict(answer: ApiAnswer, standing: Standing | undefined, credential: Credential): Verdict {
    const { source } = this.#options;
    const said = saidBy(answer);
    if (said === 'unchecked') return 'untold';
    // Where nobody tells, one whose life may be over has ended: its renewal is due in any case.
    if (said === 'unclear' && standing === 'untold' && source.stageOf(credential) !== 'ending') return 'untold';
    if (said === 'unclear' && standing === 'good') return 'unseen';
    if (said === 'refused' || said === 'unclear') return this.#isFinal ? 'untold' : 'refused';
    return 'answered';
  }

  /** A strategy that fails to say that the credential was refused has not said it. */
  #asTheStrategySays(answer: ApiAnswer): Verdict {
    try {
      const says: unknown = this.#options.strategy.isRejected?.(answer);
      if (says instanceof Promise) says.catch(() => {}); // its answer would come too late
      return says === true ? 'refused' : 'answered';
    } catch {
      return 'answered';
    }
  }
}
