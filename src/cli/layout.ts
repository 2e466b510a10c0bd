import type { Terminal } from './terminal';

/** Prints rows whose columns are as wide as their longest cell. */
export function printTable(terminal: Terminal, rows: readonly (readonly string[])[]): void {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  for (const row of rows) {
    const cells = row.map((cell, i) => cell.padEnd((widths[i] as number) + 2));
    terminal.print(cells.join('').trimEnd());
  }
}

/** Breaks a text at its blanks. What is longer than a line, such as a URL, stays whole. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
