import { jest } from '@jest/globals';
import { systemClock } from '../../src/credentials/clock';
import { SetClock } from '../credentials/set-clock';

/** How often calls come. */
const EVERY_MS = 100;
/** A server on this machine has answered after this, however busy that is. */
const MOST_NETWORK_MS = 20_000;

/**
 * Puts a clock that only the test moves in the place of that by which credentials age and flights rest, while requests go
 * over real connections. Undone after the test.
 */
export function setTime(): SetClock {
  const clock = new SetClock();
  jest.spyOn(systemClock, 'now').mockImplementation(() => clock.now());
  jest.spyOn(systemClock, 'schedule').mockImplementation((ms, callback) => clock.schedule(ms, callback));
  jest.spyOn(systemClock, 'random').mockImplementation(() => clock.random());
  return clock;
}

/** How a call ended, and when. */
export interface Ended {
  readonly at: number;
  readonly answer?: unknown;
  readonly error?: unknown;
}

/** Calls that come one after another while the clock goes on, whether those before were answered or not. */
export class Traffic {
  readonly ended: Ended[] = [];
  readonly #clock: SetClock;
  readonly #call: () => Promise<unknown>;
  #pending = 0;

  constructor(clock: SetClock, call: () => Promise<unknown>) {
    this.#clock = clock;
    this.#call = call;
  }

  /** Makes so many at once, and moves the clock until all of them have ended. */
  async burst(count: number): Promise<Ended[]> {
    const before = this.ended.length;
    for (let i = 0; i < count; i++) this.#start();
    await this.#network();
    while (this.#pending > 0) await this.#goOn();
    return this.ended.slice(before);
  }

  /** Makes one every 100 ms for so long. */
  async flow(ms: number): Promise<Ended[]> {
    const before = this.ended.length;
    const end = this.#clock.now() + ms;
    while (this.#clock.now() < end) {
      this.#start();
      await this.#network();
      await this.#goOn();
    }
    return this.ended.slice(before);
  }

  #start(): void {
    this.#pending += 1;
    this.#call()
      .then(
        (answer) => this.ended.push({ at: this.#clock.now(), answer }),
        (error: unknown) => this.ended.push({ at: this.#clock.now(), error }),
      )
      .finally(() => {
        this.#pending -= 1;
      });
  }

  async #goOn(): Promise<void> {
    await this.#clock.advance(EVERY_MS);
    await this.#network();
  }

  /** Until all calls have ended or wait for a pause to be over: beside that of the deadline there is a timer then. */
  async #network(): Promise<void> {
    const patience = performance.now() + MOST_NETWORK_MS;
    while (this.#pending > 0 && this.#clock.waiting < 2) {
      if (performance.now() > patience) throw new Error(`${this.#pending} calls neither end nor wait for a pause`);
      await new Promise(setImmediate);
    }
  }
}
