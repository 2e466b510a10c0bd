import type { Accounts } from './accounts';
import { answerOf, errorPage } from './answers';
import { profile } from './auth-routes';
import type { GatewayOptions, HandleOwn } from './gateway';
import type { QelosServerHandler } from './qelos-server.types';
import { withoutPasswords, withoutSecrets } from './request-log';

const WARNING = 'QelosServerWarning';

/** A route that a test has added. */
export function ownRoute(accounts: Accounts, handler: QelosServerHandler): HandleOwn {
  return async (caller, { method, path, query, headers, content }, params) => {
    const call = {
      method,
      path,
      params,
      query: Object.fromEntries(query),
      headers: withoutSecrets(headers),
      body: withoutPasswords(content),
      user: profile(accounts, caller),
    };
    try {
      return answerOf(await handler(call), 200);
    } catch (error) {
      // The client sees a 500 alone, so the author of the test has to be told here.
      process.emitWarning(`the handler of ${method} ${path} threw ${String(error)}`, WARNING);
      return errorPage(500);
    }
  };
}

/** Tells the author of a test why the answer is what it is, once for each method and path. */
export function warnOfUnknown(): GatewayOptions['unknown'] {
  const told = new Set<string>();
  return ({ method, path }, status) => {
    const unknown = `${method} ${path}`;
    if (told.has(unknown)) return;
    told.add(unknown);
    process.emitWarning(
      `the embedded Qelos has no route for ${unknown}, and answered ${status} as Qelos does for a path it does not know. ` +
        `Correct the path, or add the route: server.route('${method}', '${path}', () => ({ body: … }))`,
      WARNING,
    );
  };
}
