import { COOL_DOWN, doubled } from '../credentials/clock';

/**
 * The token that the server refused last, so that the same one is not sent with every attempt. It is sent again after the
 * cool-down of any refusal (30 s, doubling to 5 min): Qelos refuses a good one while its auth service is being deployed.
 */
export class RefusedToken {
  #token: string | undefined;
  #until = 0;
  #times = 0;

  /** Remembers that a token was refused just now. */
  remember(token: string): void {
    this.#times = token === this.#token ? this.#times + 1 : 0;
    this.#token = token;
    this.#until = performance.now() + doubled(COOL_DOWN, this.#times);
  }

  /** Whether a token was refused so lately that it is not worth sending. */
  isResting(token: string): boolean {
    return token === this.#token && performance.now() < this.#until;
  }

  /** Tells that a token was accepted. */
  forget(token: string): void {
    if (token === this.#token) this.#token = undefined;
  }
}
