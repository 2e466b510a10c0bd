import { isAxiosError } from 'axios';
import { undici } from 'qelos-auth/undici';
import { createQelosAuth, type QelosAuth, type QelosAuthOptions } from '../../src';
import { whenDone } from './when-done';

/** A call of the API, as each way in can make it. */
interface Call {
  /** Path below the base URL. */
  readonly path: string;
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

/** What the API answered, whatever the status. */
interface Answered {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly data: unknown;
}

export interface Way {
  readonly name: string;
  /** Changes the options so that `auth` goes this way. */
  open(options: QelosAuthOptions): QelosAuth;
  /** Resolves with answers of the API, of whatever status; rejects with everything else. */
  send(auth: QelosAuth, call: Call): Promise<Answered>;
}

type Handle = Pick<QelosAuth, 'http' | 'fetch'>;

const viaAxios = async (auth: Handle, { path, method = 'GET', body, headers, signal }: Call): Promise<Answered> => {
  const {
    status,
    headers: answered,
    data,
  } = await auth.http
    .request({
      url: path,
      method,
      ...(body !== undefined && { data: body }),
      ...(headers && { headers }),
      ...(signal && { signal }),
    })
    .catch(answerOf);
  return { status, headers: { ...answered }, data };
};

/** The SDK's own way to call a path. */
interface CallsJson {
  callJsonApi(path: string, init: RequestInit): Promise<unknown>;
}

function answerOf(error: unknown) {
  if (isAxiosError(error) && error.response) return error.response;
  throw error;
}

function open(options: QelosAuthOptions): QelosAuth {
  const auth = createQelosAuth({ env: {}, ...options });
  whenDone(() => auth.close());
  return auth;
}

async function viaFetch(auth: Handle, { path, ...init }: Call): Promise<Answered> {
  const response = await auth.fetch(path, init);
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') && text !== '';
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    data: isJson ? JSON.parse(text) : text,
  };
}

/** Every way into the library that a plugin has. */
export const ways: readonly Way[] = [
  { name: 'auth.http', open, send: viaAxios },
  {
    name: "auth.http with the adapter 'fetch'",
    open: (options) => open({ ...options, axios: { ...options.axios, adapter: 'fetch' } }),
    send: viaAxios,
  },
  {
    name: 'auth.http over undici',
    open: (options) => open({ ...options, transport: undici() }),
    send: viaAxios,
  },
  {
    name: 'auth.fetch',
    open,
    send: viaFetch,
  },
  {
    name: 'auth.sdk',
    open,
    async send(auth, { path, ...init }) {
      try {
        const data = await (auth.sdk as unknown as CallsJson).callJsonApi(path, init);
        return { status: 200, headers: {}, data };
      } catch (error) {
        const { status, headers, data } = answerOf(error);
        return { status, headers: { ...headers }, data };
      }
    },
  },
];

/** Acting as a user, by the account's own credential: for servers that take any user for one. */
export const impersonating: Way = {
  name: 'auth.impersonating().http',
  open,
  send: (auth, call) => viaAxios(auth.impersonating({ user: '65f0c0ffee65f0c0ffee65f0' }), call),
};

const tokens = new WeakMap<QelosAuth, string>();
const withToken: Way['open'] = (options) => {
  const auth = open(options);
  tokens.set(auth, options.config?.apiToken ?? '');
  return auth;
};
const caller = (auth: QelosAuth) => auth.actingFor({ apiKey: tokens.get(auth) });

/** Every handle that acts as somebody else; to be opened with an API token, which is the caller's too. */
export const handles: readonly Way[] = [
  impersonating,
  { name: 'auth.actingFor().http', open: withToken, send: (auth, call) => viaAxios(caller(auth), call) },
  { name: 'auth.actingFor().fetch', open: withToken, send: (auth, call) => viaFetch(caller(auth), call) },
];

export { open as openAuth };
