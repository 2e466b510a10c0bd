import { COOL_DOWN, doubled } from '../credentials/clock';

/**
 * The token from a source of its own (a file) that the server refused last, so that the same one is not sent again and again.
 * As Qelos refuses good ones now and then, that is not for ever: it ends by the cool-down of any other refusal.
 */
export class RefusedToken {
  #token: string | undefined;
  #until = 0;
  #streak = 0;

  /** Notes that a token was refused. */
  refuse(token: string): void {
    this.#streak = token === this.#token ? this.#streak + 1 : 0;
    this.#token = token;
    this.#until = performance.now() + doubled(COOL_DOWN, this.#streak);
  }

  /** Whether a token was refused so lately that it must not be sent. */
  isResting(token: string): boolean {
    return token === this.#token && performance.now() < this.#until;
  }
}
