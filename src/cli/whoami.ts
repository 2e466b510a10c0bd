import { isAxiosError } from 'axios';
import { apiRefusal, isAuthError } from '../index';
import { type Context, openAccount, tokenPrefix } from './context';
import { lifeLeft } from './expiry';
import { CommandFailed } from './failures';
import { printTable } from './layout';
import { canLookUp, lookUp } from './token-check';

/** What `GET /api/me` says, as far as it is shown. */
interface Me {
  readonly username?: string;
  readonly tenant?: string;
  readonly roles?: readonly string[];
  readonly workspace?: { readonly _id: string; readonly name?: string };
}

/** Prints whose credential the settings lead to. */
export async function whoami(context: Context): Promise<0> {
  const auth = openAccount(context);
  const strategy = auth.strategy.name;
  try {
    const { expiresAt } = await auth.signIn();
    const { data } = await auth.http.get<Me>('/api/me');
    const prefix = tokenPrefix(context, auth.strategy);
    const end = expiresAt ?? (await endOfToken(context, prefix));
    const { username = '', tenant = '', roles = [], workspace } = data;
    if (context.json) {
      context.terminal.printJson({
        user: username,
        tenant,
        roles,
        workspace: workspace ?? null,
        strategy,
        tokenPrefix: prefix ?? null,
        expiresAt: end?.toISOString() ?? null,
      });
      return 0;
    }
    printTable(context.terminal, [
      ['user', username],
      ['tenant', tenant],
      ['roles', roles.join(', ') || 'none'],
      ['workspace', workspace === undefined ? 'none' : `${workspace.name ?? ''} (${workspace._id})`.trim()],
      ['strategy', strategy],
      ...(prefix === undefined ? [] : [['token', prefix]]),
      ['life left', lifeOf(end, prefix !== undefined)],
    ]);
    return 0;
  } catch (error) {
    if (isAuthError(error) || !isAxiosError(error)) throw error;
    const status = error.response === undefined ? 'no answer' : `HTTP status ${error.response.status}`;
    throw new CommandFailed(
      `There is a credential, and GET /api/me with it failed (${status}).`,
      apiRefusal(error)?.hint ?? 'Run: npx qelos-auth doctor',
    );
  } finally {
    await auth.close();
  }
}

/** Qelos tells the end of a token to a session alone. Where there is none, or it fails, it is not known. */
async function endOfToken(context: Context, prefix: string | undefined): Promise<Date | undefined> {
  if (prefix === undefined || !canLookUp(context)) return undefined;
  const listed = await lookUp(context, prefix).catch(() => undefined);
  return listed && new Date(listed.expiresAt);
}

function lifeOf(end: Date | undefined, isToken: boolean): string {
  if (end !== undefined) return isToken ? lifeLeft(end) : `${lifeLeft(end)}, then renewed automatically`;
  return isToken
    ? 'not known: Qelos tells the end of a token to a session alone (npx qelos-auth tokens list)'
    : 'not known';
}
