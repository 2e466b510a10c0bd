import { Command, CommanderError, Option } from 'commander';
import { completionFor } from './completion';
import { type CommonOptions, type Context, openContext } from './context';
import { doctor } from './doctor';
import { init } from './init';
import { createToken, migrate, type RotateOptions, rotateToken } from './issue-token';
import type { Terminal } from './terminal';
import { listTokens, revokeToken } from './tokens';
import { whoami } from './whoami';

/** Set when the command is bundled. */
declare const PACKAGE_VERSION: string;

/** What the process gives to the command. */
export interface World {
  readonly terminal: Terminal;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Every failure of the parser is one of usage. */
const USAGE = 2;

/**
 * Runs the command.
 *
 * @param args - without the program's own name
 * @returns the exit code: 0 all well, 1 a check failed or the command could not be carried out, 2 usage or configuration
 * @throws whatever keeps a command from being carried out, for the caller to explain
 */
export async function runProgram(args: readonly string[], world: World): Promise<number> {
  let code = 0;
  const program = createProgram(world, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : USAGE;
  }
  return code;
}

function createProgram({ terminal, cwd, env }: World, done: (code: number) => void): Command {
  /** Makes the action of a command from what it does, its options being the last but one of commander's arguments. */
  const action = <O extends object>(work: (context: Context, options: O, argument?: string) => Promise<number>) => {
    return async (...given: unknown[]): Promise<void> => {
      const options = given.at(-2) as O & CommonOptions;
      const argument = given.length > 2 ? (given[0] as string | undefined) : undefined;
      done(await work(openContext(terminal, cwd, env, options), options, argument));
    };
  };

  const program = new Command('qelos-auth')
    .description('Finds out why a Qelos plugin cannot authenticate, and manages its API tokens.')
    .version(PACKAGE_VERSION, '--version', 'Print the version')
    .helpOption('-h, --help', 'Say how to use it')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.complain(text.trimEnd()),
      // What follows the name of an unknown option may be a secret.
      outputError: (text, write) => write(text.replace(/(--?[\w-]+)=[^']*/g, '$1')),
    })
    .showHelpAfterError('(add --help to see how to use it)');

  const command = (parent: Command, usage: string, description: string, examples: readonly string[]): Command => {
    const made = parent.command(usage).description(description).allowExcessArguments(false);
    for (const option of commonOptions()) made.addOption(option);
    return made.addHelpText(
      'after',
      `\nExamples:\n${examples.map((example) => `  $ npx qelos-auth ${example}`).join('\n')}`,
    );
  };

  command(program, 'doctor', 'Say why calls fail, or that all is well', [
    'doctor',
    'doctor --env production',
    'doctor --probe "GET /api/users"',
    'doctor --json',
  ])
    .option('--probe <call>', 'also make this call, such as "GET /api/users"')
    .option('--timeout <seconds>', 'how long each call may take (default: 10; signing in: 20)')
    .action(action(doctor));

  command(program, 'whoami', 'Print whose credential the settings lead to', ['whoami', 'whoami --json']).action(
    action(whoami),
  );

  const tokens = program.command('tokens').description('List, create, revoke and rotate API tokens');
  command(tokens, 'list', 'List your API tokens', ['tokens list', 'tokens list --json']).action(action(listTokens));

  const writing = (made: Command): Command =>
    made
      .option('--expires <when>', 'when it ends: 90d, 12w, 6m, 1y, or a date such as 2027-06-30')
      .option('--write-env <file>', 'set QELOS_API_TOKEN in this .env file (mode 0600) instead of showing the token')
      .option('--write-file <file>', 'write the token to this file (mode 0600) instead of showing it');

  writing(
    command(tokens, 'create', 'Create an API token, verify it, and show or write it once', [
      'tokens create --nickname "CI, staging" --expires 90d',
      'tokens create --write-env .env.production',
      'tokens create --write-file /run/secrets/qelos',
    ]),
  )
    .option('--nickname <name>', 'what to know it by (default: qelos-auth@<this host>)')
    .option('--workspace <id>', 'the workspace to bind it to, for ever')
    .action(action(createToken));

  command(tokens, 'revoke <token>', 'Revoke a token: by id, by its first 8 characters, or by nickname', [
    'tokens revoke ql_0e841',
    'tokens revoke "CI, staging" --yes',
  ])
    .option('-y, --yes', 'do not ask')
    .action(action((context, options: { yes?: boolean }, which = '') => revokeToken(context, which, options)));

  writing(
    command(tokens, 'rotate [token]', 'Create a successor of a token (default: the one of QELOS_API_TOKEN)', [
      'tokens rotate --write-env .env.production',
      'tokens rotate ql_0e841 --write-file /run/secrets/qelos --revoke-old',
    ]),
  )
    .option('--revoke-old', 'revoke the old one as soon as the new one is written')
    .action(action((context, options: RotateOptions, which) => rotateToken(context, which, options)));

  writing(
    command(program, 'migrate', 'From QELOS_USERNAME and QELOS_PASSWORD to an API token', [
      'migrate',
      'migrate --env production',
      'migrate --write-file /run/secrets/qelos',
    ]),
  )
    .option('--nickname <name>', 'what to know it by (default: qelos-auth@<this host>)')
    .option('--workspace <id>', 'the workspace to bind it to (default: QELOS_WORKSPACE)')
    .action(action(migrate));

  program
    .command('init [folder]')
    .description('Write a small, complete plugin, with a test that passes')
    .allowExcessArguments(false)
    .addHelpText('after', '\nExamples:\n  $ npx qelos-auth init my-plugin')
    .action((folder?: string) => init(terminal, cwd, folder));

  program
    .command('completion <shell>')
    .description('Print a script that completes the command: bash, zsh or fish')
    .addHelpText(
      'after',
      '\nExamples:\n  $ qelos-auth completion bash > ~/.local/share/bash-completion/completions/qelos-auth',
    )
    .action((shell: string) => terminal.print(completionFor(shell, program).trimEnd()));

  return program;
}

function commonOptions(): Option[] {
  return [
    new Option('-e, --env <name>', 'read .env.<name>.local and .env.<name> before .env.local and .env'),
    new Option('--env-file <file>', 'read this file instead of .env files').conflicts('env'),
    new Option('--json', 'print the result as JSON'),
  ];
}
