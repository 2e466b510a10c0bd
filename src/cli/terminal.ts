import { stripVTControlCharacters } from 'node:util';

/** The streams and variables that decide how output looks. */
export interface TerminalOptions {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

/** Codes that begin and end a style (ECMA-48, SGR). */
const CODES: Readonly<Record<Style, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/** Longer lines are hard to read, however wide the screen. */
const MAX_COLUMNS = 100;

/** Shorter ones stand in ordinary words, which hiding them would destroy. */
const MIN_HIDDEN_LENGTH = 6;

/**
 * Where results and complaints go: results to stdout, everything else to stderr. Known secrets are hidden on the way,
 * whatever text they stand in.
 */
export class Terminal {
  readonly #options: TerminalOptions;
  readonly #secrets = new Set<string>();

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  /** Whether somebody is there to be asked. Prompts go to stderr, so stdout may be a file. */
  get isInteractive(): boolean {
    const { stdin, stderr } = this.#options;
    return stdin.isTTY === true && stderr.isTTY === true;
  }

  /** Whether something may move: a terminal that nobody asked to keep plain, and not the log of a build. */
  get isAnimated(): boolean {
    return this.isInteractive && this.#isColoured(this.#options.stderr) && !this.#options.env['CI'];
  }

  /** Characters in a line of results. */
  get columns(): number {
    const { stdout } = this.#options;
    return stdout.isTTY ? Math.min(stdout.columns, MAX_COLUMNS) : MAX_COLUMNS;
  }

  get streams(): { input: NodeJS.ReadStream; output: NodeJS.WriteStream } {
    return { input: this.#options.stdin, output: this.#options.stderr };
  }

  /** Hides a secret in all that is printed from now on. */
  hide(secret: string | undefined): void {
    const trimmed = secret?.trim();
    if (trimmed && trimmed.length >= MIN_HIDDEN_LENGTH) this.#secrets.add(trimmed);
  }

  print(text: string): void {
    this.#write(this.#options.stdout, this.#masked(text));
  }

  complain(text: string): void {
    this.#write(this.#options.stderr, this.#masked(text));
  }

  /** Prints a result for programs. */
  printJson(value: unknown): void {
    this.print(JSON.stringify(value, null, 2));
  }

  /** Prints what nothing else may: a secret that was just made, for its owner to copy. */
  printSecret(before: string, secret: string, after = ''): void {
    this.#write(this.#options.stdout, `${before}${secret}${after}`);
  }

  styled(style: Style, text: string): string {
    const [on, off] = CODES[style];
    return `\u001b[${on}m${text}\u001b[${off}m`;
  }

  #write(stream: NodeJS.WriteStream, text: string): void {
    stream.write(`${this.#isColoured(stream) ? text : stripVTControlCharacters(text)}\n`);
  }

  /** As https://no-color.org has it. */
  #isColoured(stream: NodeJS.WriteStream): boolean {
    const { NO_COLOR, TERM } = this.#options.env;
    return stream.isTTY === true && !NO_COLOR && TERM !== 'dumb';
  }

  /** Without secrets, and without what could steer the terminal: a part of the text may come from a server. */
  #masked(text: string): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for; a line end and our styles may stay
    let masked = text.replace(/(?!\u001b\[\d+m)[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, ' ');
    for (const secret of this.#secrets) masked = masked.replaceAll(secret, '[hidden]');
    return masked;
  }
}
