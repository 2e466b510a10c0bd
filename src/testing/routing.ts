import type { IncomingHttpHeaders } from 'node:http';
import type { Answer } from './answers';

/** A request as the services get it. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** What came, of any kind. */
  readonly content: unknown;
  /** JSON, and `{}` where there was none. */
  readonly body: Readonly<Record<string, unknown>>;
}

export type Params = Readonly<Record<string, string>>;

export type Handle = (request: WireRequest, params: Params) => Answer | Promise<Answer>;

/** `:name` in the path stands for a part of it. */
export type Route<H = Handle> = readonly [method: string, path: string, handle: H];

/** Finds the handler of a request. */
export class Routes<H = Handle> {
  readonly #routes: { readonly method: string; readonly pattern: RegExp; readonly handle: H }[];

  constructor(routes: readonly Route<H>[] = []) {
    this.#routes = routes.map(([method, path, handle]) => ({ method, pattern: patternOf(path), handle }));
  }

  /** A later one of the same method and path goes first. */
  add([method, path, handle]: Route<H>): void {
    this.#routes.unshift({ method: method.toUpperCase(), pattern: patternOf(path), handle });
  }

  find(request: Pick<WireRequest, 'method' | 'path'>): { handle: H; params: Params } | undefined {
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    for (const route of this.#routes) {
      const match = route.method === method ? route.pattern.exec(request.path) : null;
      if (match !== null) return { handle: route.handle, params: decoded(match.groups ?? {}) };
    }
    return undefined;
  }
}

/** As Express matches: letter case and a slash at the end do not count. */
function patternOf(path: string): RegExp {
  const pattern = path
    .split('/')
    .map((part) => (part.startsWith(':') ? `(?<${part.slice(1)}>[^/]+)` : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')));
  return new RegExp(`^${pattern.join('/')}/?$`, 'i');
}

function decoded(params: Params): Params {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      try {
        return [name, decodeURIComponent(value)];
      } catch {
        return [name, value];
      }
    }),
  );
}
