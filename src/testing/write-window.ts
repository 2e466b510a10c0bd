import { clearTimeout, setImmediate, setTimeout } from './server-clock';

/** How long a write that nobody joins stays open. bcrypt makes it 100-200 ms in a real Qelos; tests need not wait. */
const OPEN_MS = 5;

/**
 * The time between reading a record and writing it back, in which other writers read the same version.
 *
 * Qelos saves a user with optimistic locking: of the writers that overlap, the first to save wins, and the others find
 * that the version has moved on. How many overlap is a matter of timing there. Here it is a number, so that a test
 * counts the same every time: a window closes when `width` writers are in it, or after a few milliseconds.
 */
export class WriteWindow {
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Joins the open window, or opens one. Resolves when it closes: for all its writers in one turn, first come first. */
  overlap(width: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length >= width) this.#close();
      else if (this.#timer === undefined) {
        // One more turn of the event loop, for writers that were on the wire while this process was busy.
        const timer = setTimeout(() => setImmediate(() => this.#timer === timer && this.#close()), OPEN_MS);
        this.#timer = timer;
      }
    });
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
