import type { AuthError, Check, QelosAuth } from '../index';
import { type Context, tokenOf } from './context';
import { likelyMeant } from './settings';

/** Which variables count, and where they come from. */
export function checkConfiguration(context: Context, auth: QelosAuth | undefined, fault: AuthError | undefined): Check {
  const { qelos } = context.settings;
  const from = qelos.map(({ name, source }) => `${name} from ${source}`).join(', ') || 'no variable of Qelos is set';
  if (auth === undefined) return unusable(context, fault as AuthError, from);
  const strategy = auth.strategy.name;
  const token = tokenOf(context.settings, context.cwd, auth.strategy);
  if (token !== undefined && !/^ql_[0-9a-f]{64}$/.test(token)) {
    return {
      id: 'configuration',
      outcome: 'warning',
      seen: `The API token has ${token.length} characters and is not of the form "ql_" and 64 hexadecimal digits. (${from})`,
      meaning: 'It was mistyped, or cut off when it was copied.',
      next: 'Copy it again; or make a new one: npx qelos-auth tokens create',
    };
  }
  if (strategy === 'oauth-refresh') {
    return {
      id: 'configuration',
      outcome: 'warning',
      seen: from,
      meaning:
        'A password is used where a token would do. It opens everything that its user may do, has no end, and cannot be revoked for this plugin alone. Qelos recommends an API token.',
      next: 'npx qelos-auth migrate',
    };
  }
  return { id: 'configuration', outcome: 'ok', seen: `${from}${unused(context, strategy)}` };
}

function unusable(context: Context, { code, message, hint }: AuthError, from: string): Check {
  const own = strategyOfTheirOwn(context);
  if (own !== undefined) {
    return {
      id: 'configuration',
      outcome: 'warning',
      seen: `QELOS_AUTH_STRATEGY names "${own}", which this command does not have. (${from})`,
      meaning: 'It is a strategy of the plugin itself, which only the plugin can run; or the name is mistyped.',
      next: 'Call diagnose(auth) in the plugin: it says the same as this command, of that strategy too.',
    };
  }
  return {
    id: 'configuration',
    outcome: 'failed',
    seen: `${message}\n(${from})`,
    meaning:
      code === 'ERR_AUTH_NO_STRATEGY'
        ? 'A plugin does not start with these settings, unless it has a strategy of its own.'
        : 'A plugin does not start with these settings.',
    next: hint,
  };
}

const BUILT_IN: readonly string[] = ['api-token', 'api-token-file', 'session', 'oauth-refresh', 'cli-login'];

/** The strategy that is pinned, if it is none of the library's. */
function strategyOfTheirOwn({ settings: { env } }: Context): string | undefined {
  const pinned = env['QELOS_AUTH_STRATEGY']?.trim();
  return pinned === undefined || BUILT_IN.includes(pinned) ? undefined : pinned;
}

/** The settings that are there and not used, with the reason. */
function unused({ settings: { env } }: Context, strategy: string): string {
  const isToken = strategy === 'api-token' || strategy === 'api-token-file';
  if (!isToken || !env['QELOS_USERNAME'] || !env['QELOS_PASSWORD']) return '';
  return `; oauth-refresh is not used, as ${strategy} comes first`;
}

export function checkSpelling({ settings: { qelos } }: Context): Check[] {
  return qelos.flatMap(({ name, source }): Check[] => {
    const meant = likelyMeant(name);
    if (meant === undefined) return [];
    return [
      {
        id: 'spelling',
        outcome: 'warning',
        seen: `${name} (${source}) is read by nothing.`,
        meaning: `${meant} was probably meant.`,
        next: `Rename it to ${meant}, or remove it.`,
      },
    ];
  });
}
