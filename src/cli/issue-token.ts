import { hostname } from 'node:os';
import { createQelosAuth, isAuthError } from '../index';
import { CALLS, type Context } from './context';
import { DAY_MS, dayOf, lifeLeft, readExpiry } from './expiry';
import { CommandFailed, UsageError } from './failures';
import { type PreparedFile, prepareFile, type SecretTarget } from './secret-files';
import { type ListedToken, MAX_TOKENS, type NewToken, TokenSession } from './session';
import { configuredToken, findToken, LIVES_ON, summaryOf } from './tokens';

/** Where a new token goes, besides the screen. */
interface WriteOptions {
  readonly writeEnv?: string;
  readonly writeFile?: string;
}

export interface CreateOptions extends WriteOptions {
  readonly nickname?: string;
  readonly expires?: string;
  readonly workspace?: string;
}

export interface RotateOptions extends WriteOptions {
  readonly expires?: string;
  readonly revokeOld?: boolean;
}

const VARIABLE = 'QELOS_API_TOKEN';
const DEFAULT_EXPIRY = '90d';
const defaultNickname = () => `qelos-auth@${hostname()}`;

/** A token that was made, checked and written. */
interface Issued {
  readonly token: string;
  readonly listed: ListedToken;
  readonly user: string;
  readonly written: readonly SecretTarget[];
}

export async function createToken(context: Context, options: CreateOptions): Promise<0> {
  const wanted: NewToken = {
    nickname: options.nickname ?? defaultNickname(),
    expiresAt: readExpiry(options.expires ?? DEFAULT_EXPIRY),
    workspace: options.workspace,
  };
  const files = prepareFiles(context, options);
  const issued = await TokenSession.use(context, async (session) =>
    issue(context, session, await session.list(), wanted, files),
  );
  report(context, issued);
  return 0;
}

/** Makes a successor of a token, with its nickname, workspace and length of life. */
export async function rotateToken(context: Context, which: string | undefined, options: RotateOptions): Promise<0> {
  const expiresAt = options.expires === undefined ? undefined : readExpiry(options.expires);
  const files = prepareFiles(context, options);
  if (options.revokeOld && files.length === 0) {
    throw new UsageError(
      '--revoke-old needs --write-env or --write-file.',
      'Otherwise the plugin would lose its token before anybody could give it the new one.',
    );
  }
  const { issued, old } = await TokenSession.use(context, async (session) => {
    const tokens = await session.list();
    const old = which === undefined ? configuredToken(context, tokens) : findToken(tokens, which);
    const wanted: NewToken = {
      nickname: old.nickname,
      expiresAt: expiresAt ?? new Date(Date.now() + lifeOf(old)),
      workspace: old.workspace?._id,
    };
    const issued = await issue(context, session, tokens, wanted, files);
    if (options.revokeOld) await revokeOld(session, old, issued);
    return { issued, old };
  });
  report(context, issued, options.revokeOld ? { revoked: old } : { stillGood: old });
  return 0;
}

/** As long as the old one was made for; at least a day, whatever its dates say. */
function lifeOf({ created, expiresAt }: ListedToken): number {
  return Math.max(DAY_MS, Date.parse(expiresAt) - Date.parse(created) || 0);
}

async function revokeOld(session: TokenSession, old: ListedToken, { written }: Issued): Promise<void> {
  try {
    await session.revoke(old._id);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it failed';
    throw new CommandFailed(
      `The new token is in ${namesOf(written)}, but the old one is still good: ${reason}`,
      `Revoke it: npx qelos-auth tokens revoke ${old._id}`,
    );
  }
}

/** From user name and password to a token. */
export async function migrate(context: Context, options: CreateOptions): Promise<0> {
  const { qelos, env } = context.settings;
  const present = qelos.find(({ name }) => name === VARIABLE || name === 'QELOS_API_TOKEN_FILE');
  if (present !== undefined) {
    throw new UsageError(
      `${present.name} is set already (${present.source}), and wins over a user name.`,
      'There is nothing to migrate. To replace the token: npx qelos-auth tokens rotate',
    );
  }
  const replaced = qelos.filter(
    ({ name, value }) =>
      name === 'QELOS_USERNAME' ||
      name === 'QELOS_PASSWORD' ||
      (name === 'QELOS_AUTH_STRATEGY' && value.trim() === 'oauth-refresh'),
  );
  const home = replaced.find(({ name }) => name === 'QELOS_PASSWORD')?.file;
  const isTold = options.writeEnv !== undefined || options.writeFile !== undefined;
  const files = prepareFiles(context, isTold || home === undefined ? options : { writeEnv: home });
  const workspace = options.workspace ?? env['QELOS_WORKSPACE']?.trim();
  const wanted: NewToken = {
    nickname: options.nickname ?? defaultNickname(),
    expiresAt: readExpiry(options.expires ?? DEFAULT_EXPIRY),
    ...(workspace && { workspace }),
  };
  const issued = await TokenSession.use(context, async (session) =>
    issue(context, session, await session.list(), wanted, files),
  );
  report(context, issued, { remove: replaced.map(({ name, source }) => ({ name, source })) });
  return 0;
}

function prepareFiles({ cwd }: Context, { writeEnv, writeFile }: WriteOptions): PreparedFile[] {
  return [
    ...(writeEnv === undefined ? [] : [prepareFile(cwd, { file: writeEnv, variable: VARIABLE })]),
    ...(writeFile === undefined ? [] : [prepareFile(cwd, { file: writeFile })]),
  ];
}

/** Creates, verifies and writes a token; undoes all of it where a later step fails, or somebody interrupts. */
async function issue(
  { terminal }: Context,
  session: TokenSession,
  present: readonly ListedToken[],
  wanted: NewToken,
  files: readonly PreparedFile[],
): Promise<Issued> {
  if (present.length >= MAX_TOKENS) {
    throw new CommandFailed(
      `This user has ${present.length} tokens, and Qelos allows ${MAX_TOKENS}. Nothing was created.`,
      'Revoke one that is no longer needed: npx qelos-auth tokens list',
    );
  }
  const interruption = new AbortController();
  const interrupt = () => {
    interruption.abort();
    terminal.complain('Interrupted: taking back what was begun.');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  const undo: (() => unknown)[] = [];
  try {
    const { token, apiToken: listed } = await session.create(wanted);
    undo.push(() => session.revoke(listed._id));
    terminal.hide(token);
    const user = await verify(session.url, token, wanted);
    for (const file of files) undo.push(file.write(token));
    if (interruption.signal.aborted) throw new CommandFailed('It was interrupted.', 'Run it again.');
    return { token, listed, user, written: files.map(({ target }) => target) };
  } catch (error) {
    throw undo.length === 0 ? error : await undone(error, undo);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
  }
}

/** Takes everything back, last first, and says so in the error. */
async function undone(error: unknown, undo: readonly (() => unknown)[]): Promise<CommandFailed> {
  const reason = error instanceof Error ? error.message : 'A step failed.';
  let isAllUndone = true;
  for (const step of undo.toReversed()) {
    try {
      await step();
    } catch {
      isAllUndone = false; // the others are still to be tried
    }
  }
  if (!isAllUndone) {
    return new CommandFailed(
      `${reason} The token that was created for it, or a file, could not be put back.`,
      'Find the token by its date, and revoke it: npx qelos-auth tokens list',
    );
  }
  const hint = error instanceof CommandFailed ? error.hint : 'Run: npx qelos-auth doctor';
  return new CommandFailed(`${reason} The new token was revoked; everything is as before.`, hint);
}

/** Whether the new token does what it was made for. */
async function verify(url: string, apiToken: string, { workspace }: NewToken): Promise<string> {
  const auth = createQelosAuth({
    env: {},
    axios: CALLS,
    config: { url, apiToken, ...(workspace !== undefined && { workspace }) },
  });
  try {
    const { user } = await auth.signIn();
    return user.username ?? '';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    const isAboutWorkspace = workspace !== undefined && /TOKEN_REFUSED|WORKSPACE/.test(error.code);
    throw new CommandFailed(
      `GET /api/me did not accept the new token (${error.code}).`,
      isAboutWorkspace ? 'Check the workspace: the user has to be a member of it.' : 'Run: npx qelos-auth doctor',
    );
  } finally {
    await auth.close();
  }
}

interface Aftermath {
  readonly revoked?: ListedToken;
  readonly stillGood?: ListedToken;
  /** Settings that the token replaces. */
  readonly remove?: readonly { readonly name: string; readonly source: string }[];
}

/** Says what was made. The token itself is shown only if it was written nowhere. */
function report({ terminal, json }: Context, issued: Issued, { revoked, stillGood, remove }: Aftermath = {}): void {
  const { token, listed, user, written } = issued;
  if (json) {
    const result = {
      ...summaryOf(listed),
      user,
      written: written.map(({ file }) => file),
      ...(revoked && { revoked: summaryOf(revoked) }),
      ...(stillGood && { stillGood: summaryOf(stillGood) }),
      ...(remove && { remove }),
    };
    if (written.length > 0) terminal.printJson(result);
    else terminal.printSecret('', JSON.stringify({ token, ...result }, null, 2));
    return;
  }
  const end = new Date(listed.expiresAt);
  terminal.print(
    `Created "${listed.nickname}" (${listed.tokenPrefix}) for ${user}: good until ${dayOf(end)}, ${lifeLeft(end)}.`,
  );
  terminal.print('Verified with GET /api/me.');
  if (written.length > 0) terminal.print(`Written to ${namesOf(written)}, which nobody else may read (mode 0600).`);
  else {
    terminal.printSecret('\n  ', token, '\n');
    terminal.print('It is shown this once. Keep it as QELOS_API_TOKEN where the plugin runs.');
  }
  if (revoked) terminal.print(`Revoked the old one (${revoked.tokenPrefix}). ${LIVES_ON}`);
  if (stillGood) {
    terminal.print(`The old one (${stillGood.tokenPrefix}) is still good. Once the plugin runs with the new one:`);
    terminal.print(`  npx qelos-auth tokens revoke ${stillGood._id}`);
  }
  if (remove && remove.length > 0) {
    terminal.print('The token replaces these. Remove them:');
    for (const { name, source } of remove) terminal.print(`  ${source}  ${name}`);
  }
}

function namesOf(written: readonly SecretTarget[]): string {
  return written.map(({ file }) => file).join(' and ');
}
