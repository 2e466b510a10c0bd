#!/usr/bin/env node
import { exitCodeOf, explain } from './context';
import { wrapped } from './layout';
import { runProgram } from './program';
import { refuseSecrets } from './secret-arguments';
import { Terminal } from './terminal';

async function main(): Promise<number> {
  const { stdout, stderr, stdin, env } = process;
  const terminal = new Terminal({ stdout, stderr, stdin, env });
  const args = process.argv.slice(2);
  try {
    refuseSecrets(args);
    return await runProgram(args, { terminal, cwd: process.cwd(), env });
  } catch (error) {
    const { code, message, hint } = explain(error);
    if (args.includes('--json')) terminal.printJson({ error: { code, message, hint } });
    else {
      const lines = [...message.split('\n'), `Next: ${hint}`].flatMap((text) => wrapped(text, terminal.columns - 2));
      terminal.complain(`${terminal.styled('red', '✗')} ${lines.join('\n  ')}`);
    }
    return exitCodeOf(error);
  }
}

/** As shells have it: 128 and the number of SIGINT. */
const INTERRUPTED = 130;

// The spinner ends the process on Ctrl-C, and calls that a success.
const interrupted = () => {
  process.exitCode = INTERRUPTED;
};
process.once('exit', interrupted);

main().then((code) => {
  process.off('exit', interrupted);
  // Nothing is left running; output that a pipe has not taken yet still goes out.
  process.exitCode = code;
});
