import type { Command } from 'commander';
import { UsageError } from './failures';

/** A command, by the words that lead to it. */
interface Node {
  readonly path: readonly string[];
  /** What may follow: subcommands and options. */
  readonly words: readonly { readonly word: string; readonly description: string }[];
}

/**
 * A script that completes the command in a shell.
 *
 * @throws UsageError for a shell it knows none for
 */
export function completionFor(shell: string, program: Command): string {
  const nodes = nodesOf(program, []);
  if (shell === 'bash') return bash(program.name(), nodes);
  if (shell === 'zsh') {
    const compatible = 'autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit';
    return `#compdef ${program.name()}\n${compatible}\n${bash(program.name(), nodes)}`;
  }
  if (shell === 'fish') return fish(program.name(), nodes);
  throw new UsageError('completion takes bash, zsh or fish.', 'Such as: source <(npx qelos-auth completion bash)');
}

function nodesOf(command: Command, path: readonly string[]): Node[] {
  const children = command.commands.filter((child) => child.name() !== 'help');
  const words = [
    ...children.map((child) => ({ word: child.name(), description: child.description() })),
    ...command.options.map(({ long, description }) => ({ word: long ?? '', description })),
    { word: '--help', description: 'Say how to use it' },
  ];
  return [{ path, words }, ...children.flatMap((child) => nodesOf(child, [...path, child.name()]))];
}

function bash(name: string, nodes: readonly Node[]): string {
  const cases = nodes.map(({ path, words }) => {
    const list = words.map(({ word }) => word).join(' ');
    return `    "${path.join(' ')}") words="${list}" ;;`;
  });
  const commands = [...new Set(nodes.flatMap(({ path }) => path))].join('|');
  return `_qelos_auth() {
  local path="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      ${commands}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _qelos_auth ${name}
`;
}

function fish(name: string, nodes: readonly Node[]): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "\\'")}'`;
  const lines = nodes.flatMap(({ path, words }) => {
    const below = words.filter(({ word }) => !word.startsWith('-')).map(({ word }) => word);
    const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
    const notYet = below.length > 0 ? [`not __fish_seen_subcommand_from ${below.join(' ')}`] : [];
    const condition = [...seen, ...notYet].join('; and ');
    return words.map(({ word, description }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`;
      return `complete -c ${name} -n ${quoted(condition)} ${what} -d ${quoted(description)}`;
    });
  });
  return `${lines.join('\n')}\n`;
}
