import type { Terminal } from './terminal';

/** Prints rows whose columns are as wide as their longest cell. */
export function printTable(terminal: Terminal, rows: readonly (readonly string[])[]): void {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  for (const row of rows) {
    terminal.print(
      row
        .map((cell, i) => cell.padEnd((widths[i] as number) + 2))
        .join('')
        .trimEnd(),
    );
  }
}
