import { type Diagnosis, diagnose, type QelosAuth } from 'qelos-auth';

/** A probe that asks every few seconds must not ask Qelos as often. */
const FRESH_MS = 30_000;

/** Whether the plugin can work with Qelos, looked at once in half a minute at most. */
export class Health {
  readonly #auth: QelosAuth;
  #last: { at: number; diagnosis: Promise<Diagnosis> } | undefined;

  constructor(auth: QelosAuth) {
    this.#auth = auth;
  }

  check(): Promise<Diagnosis> {
    const now = performance.now();
    if (this.#last === undefined || now - this.#last.at > FRESH_MS) {
      this.#last = { at: now, diagnosis: diagnose(this.#auth) };
    }
    return this.#last.diagnosis;
  }
}
