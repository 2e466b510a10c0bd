import { type Context, tokenPrefix } from './context';
import { DAY_MS, dayOf, lifeLeft } from './expiry';
import { CommandFailed, UsageError } from './failures';
import { printTable } from './layout';
import { confirmed, type ListedToken, MAX_TOKENS, TokenSession } from './session';

const SOON_DAYS = 30;

export function expiresSoon({ expiresAt }: Pick<ListedToken, 'expiresAt'>, now = Date.now()): boolean {
  return Date.parse(expiresAt) - now < SOON_DAYS * DAY_MS;
}

/** Prints the user's tokens. */
export async function listTokens(context: Context): Promise<0> {
  const tokens = await TokenSession.use(context, (session) => session.list());
  const { terminal } = context;
  if (context.json) {
    terminal.printJson(tokens.map((token) => ({ ...summaryOf(token), expiresSoon: expiresSoon(token) })));
    return 0;
  }
  if (tokens.length === 0) {
    terminal.print('This user has no API token. Make one: npx qelos-auth tokens create');
    return 0;
  }
  const rows = tokens.map((token) => {
    const end = new Date(token.expiresAt);
    const ends = `${dayOf(end)}, in ${lifeLeft(end)}`;
    return [
      token.nickname,
      token.tokenPrefix,
      expiresSoon(token) ? `${ends} !` : ends,
      token.lastUsedAt === null ? 'never !' : dayOf(new Date(token.lastUsedAt)),
      token.workspace === null ? '-' : (token.workspace.name ?? token.workspace._id),
      token._id,
    ];
  });
  printTable(terminal, [['nickname', 'token', 'ends', 'last used', 'workspace', 'id'], ...rows]);
  const soon = tokens.some((token) => expiresSoon(token));
  const unused = tokens.some(({ lastUsedAt }) => lastUsedAt === null);
  terminal.print(`\n${tokens.length} of ${MAX_TOKENS} tokens.`);
  if (soon) terminal.print(`! ends within ${SOON_DAYS} days: npx qelos-auth tokens rotate <id>`);
  if (unused) terminal.print('! was never used: npx qelos-auth tokens revoke <id>');
  return 0;
}

/** A token for programs to read: all of it but its secret. */
export function summaryOf(token: ListedToken): object {
  const { _id: id, nickname, tokenPrefix, expiresAt, lastUsedAt, workspace, created } = token;
  return { id, nickname, tokenPrefix, expiresAt, lastUsedAt, workspace, created };
}

/** Revokes one token. */
export async function revokeToken(context: Context, which: string, { yes = false }: { yes?: boolean }): Promise<0> {
  const revoked = await TokenSession.use(context, async (session) => {
    const token = findToken(await session.list(), which);
    await confirmed(context, `Revoke the token "${token.nickname}" (${token.tokenPrefix})? What uses it stops.`, yes);
    await session.revoke(token._id);
    return token;
  });
  if (context.json) context.terminal.printJson({ revoked: summaryOf(revoked) });
  else {
    context.terminal.print(`Revoked "${revoked.nickname}" (${revoked.tokenPrefix}).`);
    context.terminal.print(LIVES_ON);
  }
  return 0;
}

/** Recorded from a real Qelos: each auth process keeps what it knows of a key for up to an hour. */
export const LIVES_ON = 'Other processes of the auth service may accept it for up to 60 minutes more.';

/**
 * Finds a token by id, prefix or nickname.
 *
 * @throws CommandFailed if there is none; UsageError if there are several
 */
export function findToken(tokens: readonly ListedToken[], which: string): ListedToken {
  const found = tokens.filter(({ _id, tokenPrefix, nickname }) => [_id, tokenPrefix, nickname].includes(which));
  const [only, second] = found;
  if (only === undefined) {
    throw new CommandFailed(`This user has no token "${which}".`, 'See which there are: npx qelos-auth tokens list');
  }
  if (second !== undefined) {
    const ids = found.map(({ _id, created }) => `${_id} (of ${created.slice(0, 10)})`).join(', ');
    throw new UsageError(`${found.length} tokens are called "${which}".`, `Name one by its id: ${ids}.`);
  }
  return only;
}

/** The token that the settings name, among those of the user. */
export function configuredToken(context: Context, tokens: readonly ListedToken[]): ListedToken {
  const prefix = tokenPrefix(context, { name: 'api-token' }) ?? tokenPrefix(context, { name: 'api-token-file' });
  if (prefix === undefined) {
    throw new UsageError(
      'Which token?',
      'Name one by id, prefix or nickname; or set QELOS_API_TOKEN to the one in use.',
    );
  }
  return findToken(tokens, prefix);
}
