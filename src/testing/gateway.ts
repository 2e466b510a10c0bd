import type { IncomingHttpHeaders } from 'node:http';
import { type Answer, errorPage, refusal } from './answers';
import type { AuthServiceState } from './auth-service-state';
import type { Authentication, Caller } from './authentication';
import type { Routes, WireRequest } from './routing';
import { AUTH_PATHS, type HandleKnown, type HandleService, refusedBy } from './services';

/** Answers the requests to a route that the test has added. */
export type HandleOwn = (...args: Parameters<HandleKnown>) => Promise<Answer>;

export interface GatewayOptions {
  readonly authentication: Authentication;
  readonly state: AuthServiceState;
  readonly authRoutes: Routes;
  readonly serviceRoutes: Routes<HandleService>;
  /** Those that the test has added. They go first. */
  readonly ownRoutes: Routes<HandleOwn>;
  /** Whether the auth service was made to fail where the gateway asks it who is calling. Asking counts as a request. */
  readonly meFails: () => boolean;
  /** Told of every request that no route here is for, though one may be in a real Qelos. */
  readonly unknown: (request: WireRequest, status: number) => void;
}

/** Finds the service that a request is for, and tells it who is calling. */
export class Gateway {
  readonly #options: GatewayOptions;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  async answer(request: WireRequest): Promise<Answer> {
    const { authRoutes, serviceRoutes, ownRoutes, state } = this.#options;
    const { path } = request;
    const version = /^\/api\/(v\d+)(?:\/|$)/.exec(path)?.[1];
    if (version !== undefined && version !== 'v1') return refusal(400, `Unsupported API version: ${version}`);
    // Recorded: version 1 in the path is known, and yet routed nowhere.
    if (version === 'v1') return notFound(request);

    const isForAuth = AUTH_PATHS.test(path);
    const caller = await this.#whoIsCalling(request.headers, isForAuth);
    const own = ownRoutes.find(request);
    if (own !== undefined) {
      return caller === undefined ? refusedOwn(path, isForAuth) : own.handle(caller, request, own.params);
    }
    if (isForAuth) {
      if (state.isStopped) return notProxied(request);
      const route = authRoutes.find(request);
      return route === undefined ? this.#unknown(request, notFound(request)) : route.handle(request, route.params);
    }
    const route = serviceRoutes.find(request);
    if (route !== undefined) return route.handle(caller, request, route.params);
    const refused = refusedBy(path);
    if (refused !== undefined) return caller === undefined ? refused : this.#unknown(request, notFound(request));
    // Recorded: no service has the path, and so it is taken for one of a plugin; with every credential, and without.
    return this.#unknown(request, path.startsWith('/api/') ? refusal(401, 'plugin not exist') : notFound(request));
  }

  #unknown(request: WireRequest, answer: Answer): Answer {
    this.#options.unknown(request, answer.status);
    return answer;
  }

  /**
   * The gateway asks `GET /api/me` before it passes a request on, to the auth service too: there it makes no difference,
   * but that a key counts one use more. Whoever is refused there is anonymous to the services, and just so is everybody
   * while there is no answer.
   */
  async #whoIsCalling(headers: IncomingHttpHeaders, isForAuth: boolean): Promise<Caller | undefined> {
    const { authentication, state, meFails } = this.#options;
    const { authorization, cookie, 'x-api-key': key } = headers;
    // It looks for the session cookie alone, not for the older `token`.
    if (!authorization && !key && !cookie?.includes('qlt_')) return undefined;
    if ((!isForAuth && meFails()) || !state.isInTimeForTheGateway) return undefined;
    const verdict = await authentication.judge(headers);
    await state.takeTime(1);
    return 'caller' in verdict ? verdict.caller : undefined;
  }
}

/** As the service refuses that the path belongs to; if none, as that of the plugins does. */
function refusedOwn(path: string, isForAuth: boolean): Answer {
  if (isForAuth) return refusal(401, 'you are not authorized. must be logged in.');
  return refusedBy(path) ?? { status: 401 };
}

const notFound = ({ method, path }: WireRequest): Answer => errorPage(404, `Cannot ${method} ${path}`);

/** Nothing listens behind the gateway. */
const notProxied = ({ headers, path }: WireRequest): Answer => ({
  status: 504,
  headers: { 'content-type': 'text/plain' },
  body: `Error occurred while trying to proxy: ${headers.host}${path}`,
});
