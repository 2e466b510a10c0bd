// What test-mutation.mjs adds to Stryker: an ignorer and a reporter.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const isText = ({ type, expressions }) =>
  type === 'StringLiteral' ||
  // Only with plain values in it: what is decided inside a text is behaviour.
  (type === 'TemplateLiteral' && expressions.every(({ type }) => type === 'Identifier' || type === 'MemberExpression'));

const isHint = ({ type, key, value }) => type === 'ObjectProperty' && key.name === 'hint' && isText(value);

/**
 * Leaves out the message and the hint of an AuthError: an emptied text says nothing about the tests that a reader of it
 * would want, and the compiler refuses an error without a hint. Texts are judged by reading, and docs/errors.md is held
 * against them. That an error has the right code and names the right setting is for the tests to notice: codes, and texts
 * that come about in any other way, are mutated.
 */
const texts = {
  shouldIgnore({ node, parent }) {
    const isOfError = parent?.type === 'NewExpression' && parent.callee.name === 'AuthError';
    const isMessage = isOfError && node === parent.arguments[1] && isText(node);
    const isHintAlone = isOfError && node.type === 'ObjectExpression' && node.properties.every(isHint);
    return isMessage || isHintAlone || isHint(node) ? 'text of an error' : undefined;
  },
};

/** Prints each mutant that nobody noticed as soon as that is known, so that a run that is cut off is not lost. */
class Unnoticed {
  onMutantTested({ fileName, location, mutatorName, replacement, status }) {
    if (status !== 'Survived' && status !== 'NoCoverage') return;
    const { start, end } = location;
    const lines = readFileSync(fileName, 'utf8')
      .split('\n')
      .slice(start.line - 1, end.line);
    lines.push(lines.pop().slice(0, end.column - 1));
    lines.unshift(lines.shift().slice(start.column - 1));
    const show = (text) => text.replace(/\s+/g, ' ').slice(0, 100);
    const place = `${relative(process.cwd(), fileName)}:${start.line}:${start.column}`;
    process.stdout.write(
      `${status} ${place} ${mutatorName}\n  - ${show(lines.join('\n'))}\n  + ${show(replacement)}\n`,
    );
  }
}

export const strykerPlugins = [
  { kind: 'Ignore', name: 'texts', value: texts },
  { kind: 'Reporter', name: 'unnoticed', injectableClass: Unnoticed },
];
