/** Longer than any secret of Qelos, shorter than the 16 KiB that Node accepts as headers of one message. */
const MAX_SECRET_LENGTH = 4096;

/** Says why a setting cannot be what it should be, without showing it; undefined if it can. */
export function faultOf(value: string, isToken: boolean): string | undefined {
  if (value === '') return 'is set but empty: give it a value or remove it';
  if (value === 'undefined' || value === 'null') return `is the word "${value}": the program that sets it had no value`;
  if (isPlaceholder(value, isToken))
    return 'holds a placeholder that was not expanded: the program that sets it has to';
  if (value.length > MAX_SECRET_LENGTH) return `is longer than ${MAX_SECRET_LENGTH} characters`;
  if (hasControlCharacter(value)) return 'holds a line end or another control character inside';
  if (!isToken) return undefined;
  if (/^(["'`]).*\1$/.test(value)) return 'is in quotes: remove them';
  if (!/^[\x21-\x7e]+$/.test(value)) return 'holds a blank, an invisible or a non-ASCII character, which no token does';
  return undefined;
}

/**
 * A placeholder of a shell, of Kubernetes or of a template; `$NAME` and `%NAME%` where that cannot be meant: no token begins so, but a password may, unless it is the name
 * of one of our own variables.
 */
function isPlaceholder(value: string, isToken: boolean): boolean {
  if (/^(\$\{[^}]*\}|\$\([\w.-]*\)|\{\{.*\}\})$/.test(value)) return true;
  return (isToken ? /^(\$\w+|%\w+%)$/ : /^(\$QELOS_\w+|%QELOS_\w+%)$/).test(value);
}

function hasControlCharacter(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}
