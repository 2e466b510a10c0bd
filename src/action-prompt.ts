import type { RequiredAction } from './contract/auth-strategy';

/** What would move a terminal's cursor, change its colours or turn the direction of writing: a server may have worded it. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Says what a person has to do where one may be sitting: on stderr, if that is a terminal. */
export function promptAtTerminal(action: RequiredAction & { readonly strategy: string }): void {
  const { strategy, message, url, code, expiresAt } = action;
  if (!process.stderr.isTTY) return;
  const lines = [
    `The strategy "${strategy}" needs you: ${message}`,
    url && `  open   ${url}`,
    code && `  enter  ${code}`,
    expiresAt && `  until  ${expiresAt.toLocaleTimeString()}`,
  ];
  process.stderr.write(
    lines
      .filter((line) => line !== undefined && line !== '')
      .map((line) => `${String(line).replace(INVISIBLE, '')}\n`)
      .join(''),
  );
}
