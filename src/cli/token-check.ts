import { type Check, type Diagnosis, isAuthError, type QelosAuth } from '../index';
import { type Context, tokenOf } from './context';
import { dayOf, lifeLeft } from './expiry';
import { type ListedToken, TokenSession } from './session';
import { expiresSoon } from './tokens';

/** End and last use of the API token: Qelos tells them to a session alone, so where there is a password too. */
export async function checkToken(context: Context, auth: QelosAuth, { checks }: Diagnosis): Promise<Check[]> {
  const { settings, cwd } = context;
  const { strategy } = auth;
  const isTried = checks.some(({ id, outcome }) => id === 'sign-in' && outcome !== 'skipped');
  const prefix = tokenOf(settings, cwd, strategy)?.slice(0, 8);
  if (!isTried || prefix === undefined) return [];
  if (!canLookUp(context)) {
    const why =
      'end and last use are not known: Qelos tells them to a session alone ("npx qelos-auth tokens list" asks for the password)';
    return [{ id: 'token', outcome: 'skipped', seen: why }];
  }
  try {
    const listed = await lookUp(context, prefix);
    return [listed === undefined ? notListed(prefix) : listedToken(listed)];
  } catch (error) {
    const seen = isAuthError(error) ? error.message : 'the list could not be had';
    return [{ id: 'token', outcome: 'skipped', seen: `end and last use are not known: ${seen}` }];
  }
}

/** Whether the settings have a user name and a password too. */
export function canLookUp({ settings: { env } }: Context): boolean {
  return Boolean(env['QELOS_USERNAME'] && env['QELOS_PASSWORD']);
}

/** What the server knows of the token that begins so; undefined if the user has none. */
export async function lookUp(context: Context, prefix: string): Promise<ListedToken | undefined> {
  const tokens = await TokenSession.use(context, (session) => session.list());
  return tokens.find(({ tokenPrefix }) => tokenPrefix === prefix);
}

function notListed(prefix: string): Check {
  return {
    id: 'token',
    outcome: 'warning',
    seen: `The user of QELOS_USERNAME has no token that begins with ${prefix}.`,
    meaning: 'The token was revoked or has expired, or it is one of another user.',
    next: 'npx qelos-auth tokens create',
  };
}

function listedToken(token: ListedToken): Check {
  const end = new Date(token.expiresAt);
  const used = token.lastUsedAt === null ? 'never used' : `last used ${dayOf(new Date(token.lastUsedAt))}`;
  const seen = `"${token.nickname}" (${token.tokenPrefix}) ends ${dayOf(end)}, in ${lifeLeft(end)}; ${used}`;
  if (!expiresSoon(token)) return { id: 'token', outcome: 'ok', seen };
  return {
    id: 'token',
    outcome: 'warning',
    seen,
    meaning: 'From then on every call is refused. Qelos gives no warning of its own.',
    next: `npx qelos-auth tokens rotate ${token._id}`,
  };
}
