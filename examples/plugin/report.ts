import { inspect } from 'node:util';
import { apiRefusal, isAuthError, type QelosAuth } from 'qelos-auth';

const INDENT = '   ';
const LABEL_WIDTH = 12;
const TEXT_WIDTH = 92;

/** What one part of the demo cost. */
export class Tally {
  signIns = 0;
  refreshes = 0;
  resent = 0;
  calls = 0;
  failed = 0;
  /** Why calls failed, in a few words. */
  why = '';

  constructor(readonly name: string) {}

  /** Counts what an instance does from now on. */
  watch(auth: QelosAuth): void {
    auth.on('signedIn', () => this.signIns++);
    auth.on('refreshed', () => this.refreshes++);
    auth.on('requestRetried', () => this.resent++);
  }

  /** Makes a call and counts it. */
  async call<T>(make: () => Promise<T>): Promise<T> {
    this.calls++;
    try {
      return await make();
    } catch (error) {
      this.failed++;
      throw error;
    }
  }

  /** Makes a call that is expected to fail; resolves with its error, or undefined if it succeeds. */
  async failure(make: () => Promise<unknown>): Promise<unknown> {
    try {
      await this.call(make);
      return undefined;
    } catch (error) {
      return error;
    }
  }
}

/** Prints for a person, and remembers what was not as it should be. */
export class Report {
  readonly #tallies: Tally[] = [];
  readonly #faults: string[] = [];
  #sections = 0;

  section(title: string): Tally {
    this.#sections++;
    console.log(`\n${this.#sections}. ${title}`);
    const tally = new Tally(title);
    this.#tallies.push(tally);
    return tally;
  }

  line(label: string, text: string): void {
    const [first = '', ...rest] = wrap(text);
    console.log(`${INDENT}${label.padEnd(LABEL_WIDTH)} ${first}`);
    for (const more of rest) console.log(`${INDENT}${' '.repeat(LABEL_WIDTH)} ${more}`);
  }

  /** What an error says to the person who has to do something about it. */
  error(error: unknown): void {
    if (isAuthError(error)) {
      this.line('error', `${error.code}: ${error.message}`);
      this.line('hint', error.hint);
      return;
    }
    const refusal = apiRefusal(error);
    const { status, data } = (error as { response?: { status?: number; data?: unknown } }).response ?? {};
    if (status !== undefined) this.line('answer', `${status} ${data ? JSON.stringify(data) : '(empty)'}`);
    if (refusal) {
      this.line('authCode', refusal.authCode);
      this.line('hint', refusal.hint);
    }
  }

  skip(reason: string): void {
    const tally = this.#tallies.at(-1);
    if (tally) tally.why = 'skipped';
    this.line('skipped', reason);
  }

  /** Notes a fault unless a value is what it should be. */
  check(what: string, actual: unknown, expected: unknown): void {
    if (Object.is(actual, expected)) return;
    this.fault(`${what}: ${inspect(actual)} instead of ${inspect(expected)}`);
  }

  fault(text: string): void {
    this.#faults.push(text);
    this.line('NOT RIGHT', text);
  }

  /** Prints the table and the verdict. Returns whether all was as it should be. */
  conclude(): boolean {
    console.log('\nIn all');
    const shown = this.#tallies.filter(({ calls, signIns, why }) => calls > 0 || signIns > 0 || why !== '');
    const rows = [
      ['', 'sign-ins', 'refreshes', 'calls', 'sent again', 'failed', 'why'],
      ...shown.map((tally) => [
        tally.name,
        ...[tally.signIns, tally.refreshes, tally.calls, tally.resent, tally.failed].map(String),
        tally.why || '-',
      ]),
    ];
    const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
    for (const row of rows) {
      const cells = row.map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 || column === row.length - 1 ? cell.padEnd(width) : cell.padStart(width);
      });
      console.log(`${INDENT}${cells.join('  ').trimEnd()}`);
    }
    const { length } = this.#faults;
    if (length > 0)
      console.log(`\nNot as it should be:\n${this.#faults.map((text) => `${INDENT}- ${text}`).join('\n')}`);
    else console.log('\nAll as it should be.');
    return length === 0;
  }
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + word.length + 1 > TEXT_WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
