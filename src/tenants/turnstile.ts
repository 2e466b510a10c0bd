/**
 * How many get one turn of the event loop. A tenant's start costs some 0.1 ms, whatever follows without waiting included: so
 * a burst of them leaves the loop to others every few milliseconds.
 */
const PER_TURN = 50;

/** Spreads what comes in a burst over turns of the event loop, in the order of its coming. */
export class Turnstile {
  /** The turn that the next one gets; undefined: the present one. */
  #turn: Promise<void> | undefined;
  /** How many have got that turn. */
  #taken = 0;

  /** Gives the turn to wait for; undefined if there is no need to wait. */
  pass(): Promise<void> | undefined {
    if (this.#taken === PER_TURN) this.#openNext();
    this.#taken++;
    return this.#turn;
  }

  #openNext(): void {
    const next = async () => {
      await new Promise(setImmediate);
      if (this.#turn === turn) this.#turn = undefined;
    };
    const turn = this.#turn === undefined ? next() : this.#turn.then(next);
    this.#turn = turn;
    this.#taken = 0;
  }
}
