import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, jest, test } from '@jest/globals';
import axios, { type AxiosRequestConfig } from 'axios';
import {
  ApiTokenStrategy,
  type AuthContext,
  AuthError,
  type AuthStrategy,
  Credential,
  OAuthRefreshStrategy,
  type OutgoingRequest,
} from '../../src';
import {
  type AuthStrategySuite,
  describeAuthStrategy,
  type QelosServer,
  type StrategyObstacle,
  type StrategyUnderTest,
} from '../../src/testing';
import { SessionStrategy, underTest } from './session-strategy';

/** Under a name of its own, as the library always adds its own strategies. */
const renamed = <S extends AuthStrategy>(strategy: S): S => Object.assign(strategy, { name: `${strategy.name}-tried` });

describeAuthStrategy('api-token', {
  describe,
  it,
  create(server) {
    const apiToken = server.issueApiToken();
    return {
      strategy: renamed(new ApiTokenStrategy({ url: server.url, apiToken })),
      unconfigured: renamed(new ApiTokenStrategy({ url: server.url })),
      secrets: [apiToken],
      refuse: () => server.revokeApiToken(apiToken),
      hang: () => server.fail('/api/me', 'hang'),
    };
  },
});

describeAuthStrategy('oauth-refresh', {
  describe,
  it,
  create: (server) => underTest(server, (user) => renamed(new OAuthRefreshStrategy({ url: server.url, ...user }))),
});

describeAuthStrategy('a session without the SDK', { describe, it, create: (server) => underTest(server) });

/** Signs in as to another server than Qelos: with a client of its own, about which nobody but itself cares. */
function byOwnClient(
  server: QelosServer,
  changes: (password: string) => AxiosRequestConfig = () => ({}),
): StrategyUnderTest {
  return underTest(server, ({ username = '', password = '' }) => {
    const ask = async (path: string, { signal }: AuthContext, body: object, headers = {}): Promise<Credential> => {
      const limits = { maxRedirects: 0, maxContentLength: 1_000_000 };
      const { data } = await axios.post(server.url + path, body, { signal, headers, ...limits, ...changes(password) });
      return Credential.bearer(data.payload.token, data.payload);
    };
    return {
      name: 'by-own-client',
      missing: () => (username ? [] : ['SESSION_USERNAME']),
      signIn: (context) => ask('/api/signin', context, { username, password, authType: 'oauth' }),
      refresh: ({ refreshToken }, context) =>
        ask('/api/token/refresh', context, {}, { authorization: `Bearer ${refreshToken}` }),
    };
  });
}

describeAuthStrategy('with a client of its own', { describe, it, create: (server) => byOwnClient(server) });

/** Signs each request, which no Qelos understands: it comes with a server of its own. */
class SigningStrategy implements AuthStrategy {
  readonly name = 'signing';
  readonly #secret: string;
  constructor(secret: string) {
    this.#secret = secret;
  }
  missing = () => (this.#secret ? [] : ['SIGNING_SECRET']);
  signIn = async () => Credential.headers({ 'x-client-id': 'plugin-42' });
  authorize({ method, url, headers }: OutgoingRequest, credential: Credential): void {
    credential.applyTo(headers);
    headers.set('x-signature', signature(`${method} ${url}`, this.#secret));
  }
}

const signature = (text: string, secret: string) => createHmac('sha256', secret).update(text).digest('hex');

async function startSignedServer(secret: string) {
  const server = createServer(({ method, url, headers }, response) => {
    const isSigned = headers['x-signature'] === signature(`${method} http://${headers.host}${url}`, secret);
    response.writeHead(isSigned ? 200 : 401).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    secret,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const signing = {
  server: () => startSignedServer('a long signing secret'),
  create: ({ secret }: { secret: string }) => ({
    strategy: new SigningStrategy(secret),
    unconfigured: new SigningStrategy(''),
    secrets: [secret],
  }),
};

describeAuthStrategy('signing', { describe, it, without: ['refuse', 'hang'], ...signing });

type Body = (this: unknown, ...given: unknown[]) => Promise<void>;

/** The cases of a suite, by title, in order. */
function casesOf<Without extends StrategyObstacle = never>(
  suite: Omit<AuthStrategySuite<QelosServer, Without>, 'describe' | 'it'>,
): Map<string, Body> {
  const cases = new Map<string, Body>();
  describeAuthStrategy('tried', {
    describe: (_name, body) => body(),
    it: (title, body) => cases.set(title, body),
    ...suite,
  });
  return cases;
}

/** What the cases of a suite fail with, by title. */
async function errorsOf(suite: Omit<AuthStrategySuite, 'describe' | 'it'>): Promise<Record<string, Error>> {
  const errors: Record<string, Error> = {};
  for (const [title, body] of casesOf(suite)) {
    // This runner has no way to skip a test.
    const error = await body.call(undefined).catch((thrown: Error) => thrown);
    if (error) errors[title] = error;
  }
  return errors;
}

/** A session strategy with something wrong about it. */
function wrong(
  change: (honest: SessionStrategy, server: QelosServer) => Partial<AuthStrategy> & Record<string, unknown>,
): (server: QelosServer) => StrategyUnderTest {
  return (server) =>
    underTest(server, (user) => {
      const honest = new SessionStrategy(user);
      return {
        name: 'wrong',
        missing: () => honest.missing(),
        signIn: (context: AuthContext) => honest.signIn(context),
        refresh: (current: Credential, context: AuthContext) => honest.refresh(current, context),
        ...change(honest, server),
      };
    });
}

/** A call that goes wrong in its own way when it is refused. */
const whenRefused = (onRefusal: () => unknown) =>
  wrong((honest) => ({
    signIn: (context) =>
      honest.signIn(context).catch((error) => {
        if (error.response?.status !== 401) throw error;
        return onRefusal() as Promise<Credential>;
      }),
  }));

const throwing = (error: unknown) => () => {
  throw error;
};

/** A call that goes wrong in its own way when the server is out of order. */
const inOutage = (onOutage: (again: () => Promise<Credential>) => unknown) =>
  wrong((honest) => ({
    signIn: (context) =>
      honest.signIn(context).catch((error) => {
        if (error.response?.status !== 503) throw error;
        return onOutage(() => honest.signIn(context)) as Promise<Credential>;
      }),
  }));

/** A strategy that does something with its password when it signs in. */
const withPassword = (use: (password: string) => void) =>
  wrong((honest, server) => ({
    signIn(context) {
      use(passwordOf(server));
      return honest.signIn(context);
    },
  }));

const refused = (message: string, details: { hint?: string; retryable?: boolean; cause?: unknown } = {}) =>
  new AuthError('ERR_AUTH_REFUSED', message, { hint: 'Set SESSION_PASSWORD.', httpStatus: 401, ...details });

const passwordOf = (server: QelosServer) => server.users[0]?.password ?? '';

const MISSING = 'missing() names the settings it lacks, at once, and does nothing else';
const SIGN_IN = 'signIn() gives a fresh Credential that the server accepts';
const STORM = 'fifty calls at once cost one sign-in, and none fails';
const REFUSAL = 'a refusal is one attempt and one AuthError that says what to do, for fifty calls';
const NO_CACHE = 'signIn() asks anew each time, and keeps nothing';
const SIGN_IN_SIGNAL = 'signIn() ends with context.signal';
const REFRESH = 'refresh(), if there is one, gives the successor of the credential it is given, each time';
const EXPIRY = 'when the credential ends, fifty calls at once cost one renewal, and none fails';
const REFRESH_REFUSAL = 'refresh(), if there is one, lets a refusal through';
const REFRESH_SIGNAL = 'refresh(), if there is one, ends with context.signal';
const REJECTED = 'isRejected(), if there is one, is only about the credential';
const AUTHORIZE = 'authorize(), if there is one, adds headers and does nothing else';
const OUTAGE = 'an outage is one attempt, and an error that says to try again';
const REDIRECT = 'a redirect takes no secret to another server';
const BOUND = 'an answer is read up to a limit';
const SECRETS = 'no secret shows: not in errors, not in events, not in the strategy itself';
const PRINTS = 'no secret is printed';
const SENT = 'no secret is sent where it gets logged: not in a URL, not in a header that is for something else';

/** A strategy that is wrong, the one case that must say so, and what it says. */
const WRONG: [
  name: string,
  title: string,
  says: RegExp,
  create: (server: QelosServer) => StrategyUnderTest,
  timeoutMs?: number,
][] = [
  [
    'missing() throws',
    MISSING,
    /missing\(\) threw TypeError: no settings\. It must not throw/,
    wrong(() => ({ missing: throwing(new TypeError('no settings')) })),
  ],
  [
    'missing() is asynchronous',
    MISSING,
    /missing\(\) returned a Promise: make it synchronous/,
    wrong((honest) => ({ missing: (async () => honest.missing()) as never })),
  ],
  [
    'missing() says whether, not what',
    MISSING,
    /must return an array of setting names/,
    wrong((honest) => ({ missing: (() => honest.missing().length > 0) as never })),
  ],
  [
    'missing() says nothing, and signIn() fails',
    MISSING,
    /missing\(\) is empty although nothing is set/,
    wrong(() => ({ missing: () => [] })),
  ],
  [
    'missing() lacks something for ever',
    MISSING,
    /missing\(\) names SESSION_REALM although create\(\) has set all it needs/,
    wrong(() => ({ missing: () => ['SESSION_REALM'] })),
  ],
  [
    'missing() asks the server',
    MISSING,
    /missing\(\) sent GET http:\/\/127\.0\.0\.1:\d+\/api\/me: leave what takes time to signIn\(\)/,
    wrong((honest, server) => ({
      missing() {
        fetch(`${server.url}/api/me`).catch(() => {});
        return honest.missing();
      },
    })),
  ],
  [
    'missing() changes something',
    MISSING,
    /missing\(\) answered differently when called twice/,
    wrong((honest) => {
      let calls = 0;
      return { missing: () => honest.missing().map((name) => `${name} ${calls++}`) };
    }),
  ],
  [
    'it has the name of a strategy of the library',
    MISSING,
    /Two strategies have the name "api-token"/,
    wrong(() => ({ name: 'api-token' })),
  ],
  [
    'it has the name of a strategy of the library, and needs no setting',
    SIGN_IN,
    /The library does not take the strategy: ERR_AUTH_CONFIG: Two strategies have the name "oauth-refresh"/,
    (server) => ({ ...wrong(() => ({ name: 'oauth-refresh' }))(server), unconfigured: undefined }),
  ],
  [
    'its constructor throws',
    MISSING,
    /a constructor must not throw; let missing\(\) name the setting instead/,
    (server) =>
      underTest(server, ({ username }) => {
        if (!username) throw new Error('SESSION_USERNAME is not set');
        return new SessionStrategy({ username });
      }),
  ],
  [
    'signIn() returns a plain object',
    SIGN_IN,
    /signIn\(\) returned an object that is no Credential \(Object\): return Credential\.apiKey/,
    wrong(() => ({ signIn: async () => ({ token: 'ql_1' }) as never })),
  ],
  [
    'signIn() returns nothing',
    SIGN_IN,
    /signIn\(\) returned undefined/,
    wrong((honest) => ({ signIn: (async (context: AuthContext) => void (await honest.signIn(context))) as never })),
  ],
  [
    'signIn() returns what has ended',
    SIGN_IN,
    /a Credential that ended at 1970-01-21T.*milliseconds, not seconds/,
    wrong((_honest, server) => ({
      signIn: async () =>
        Credential.apiKey(server.issueApiToken(), { expiresAt: new Date(Date.parse('2026-01-01') / 1000) }),
    })),
  ],
  [
    'signIn() returns what ends in ten years',
    SIGN_IN,
    /a Credential that ends at 20\d\d-.*, in more than 5 years: check where its expiresAt comes from/,
    wrong((_honest, server) => ({
      signIn: async () =>
        Credential.apiKey(server.issueApiToken(), { expiresAt: new Date(Date.now() + 10 * 365 * 24 * 3_600_000) }),
    })),
  ],
  [
    'signIn() returns what the server does not take',
    SIGN_IN,
    /with the credential of signIn\(\) came to HTTP status 401: .*\(it sets x-api-key\)/,
    wrong(() => ({ signIn: async () => Credential.apiKey('ql_unknown') })),
  ],
  [
    'signIn() fails',
    SIGN_IN,
    /signIn\(\) failed although nothing stands in its way: TypeError: Cannot read properties of undefined/,
    wrong(() => ({ signIn: async () => Credential.apiKey((undefined as never)['token']) })),
  ],
  [
    'signIn() never settles',
    SIGN_IN,
    /signIn\(\) never settled although everybody answers/,
    wrong(() => ({ signIn: () => new Promise(() => {}) })),
    300,
  ],
  [
    'authorize() mixes up requests under way at once',
    STORM,
    /\d+ of 50 calls at once failed, the first with HTTP status \d+\. .*keep nothing of one request in a field/,
    wrong(() => {
      let request: OutgoingRequest;
      return {
        async authorize(outgoing, credential) {
          request = outgoing;
          await null;
          credential.applyTo(request.headers);
        },
      };
    }),
  ],
  [
    'authorize() signs wrongly now and then',
    STORM,
    /50 calls at once cost \d+ credentials instead of 1: the server refuses one while it is in use/,
    wrong(() => {
      let calls = 0;
      return {
        authorize({ headers }, credential) {
          if (++calls % 20 === 0) headers.set('authorization', 'Bearer wrong');
          else credential.applyTo(headers);
        },
      };
    }),
  ],
  [
    'signIn() waits for ever when it is refused',
    REFUSAL,
    /signIn\(\) never settled when it was refused/,
    whenRefused(() => new Promise(() => {})),
    1_000,
  ],
  [
    'signIn() throws a string',
    REFUSAL,
    /signIn\(\) threw a string when it was refused: throw an AuthError that names the setting/,
    whenRefused(throwing('refused')),
  ],
  [
    'signIn() throws an Error that says nothing to anybody',
    REFUSAL,
    /signIn\(\) threw Error: refused when it was refused/,
    whenRefused(throwing(new Error('refused'))),
  ],
  [
    'signIn() calls a refusal an outage',
    REFUSAL,
    /signIn\(\) said ERR_AUTH_UNAVAILABLE when it was refused: say ERR_AUTH_REFUSED/,
    whenRefused(() => Promise.reject(new AuthError('ERR_AUTH_UNAVAILABLE', 'No.', { hint: 'Wait.', retryable: true }))),
  ],
  [
    'signIn() has no hint',
    REFUSAL,
    /an AuthError with an empty message or hint/,
    whenRefused(() => Promise.reject(refused('Refused.', { hint: '' }))),
  ],
  [
    'signIn() calls a refusal retryable',
    REFUSAL,
    /signIn\(\) called a refusal \(ERR_AUTH_REFUSED\) retryable: leave out retryable: true/,
    whenRefused(() =>
      Promise.reject(new AuthError('ERR_AUTH_REFUSED', 'No.', { hint: 'Wait.', httpStatus: 403, retryable: true })),
    ),
  ],
  [
    'signIn() swallows a refusal',
    REFUSAL,
    /signIn\(\) swallowed a refusal and returned undefined/,
    whenRefused(() => undefined),
  ],
  [
    'signIn() makes a credential out of a refusal',
    REFUSAL,
    /signIn\(\) swallowed a refusal and returned a Credential/,
    whenRefused(() => Credential.bearer('undefined')),
  ],
  [
    'signIn() retries by itself',
    REFUSAL,
    /signIn\(\) sent POST http:\/\/127\.0\.0\.1:\d+\/api\/signin 5 times for one refusal/,
    wrong((honest) => ({
      async signIn(context) {
        for (let tries = 1; ; tries++) {
          try {
            return await honest.signIn(context);
          } catch (error) {
            if (tries === 5) throw error;
          }
        }
      },
    })),
  ],
  [
    'signIn() keeps its credential',
    NO_CACHE,
    /signIn\(\) returned the same Credential twice/,
    wrong((honest) => {
      let kept: Promise<Credential> | undefined;
      return {
        signIn(context) {
          kept ??= honest.signIn(context);
          return kept;
        },
      };
    }),
  ],
  [
    'signIn() keeps its token',
    NO_CACHE,
    /signIn\(\) gave a credential from before/,
    wrong((_honest, server) => {
      const { username, password } = server.users[0] ?? {};
      let kept: { token: string; refreshToken: string } | undefined;
      return {
        async signIn({ http }) {
          kept ??= (await http.post('/api/signin', { username, password, authType: 'oauth' })).data.payload;
          return Credential.bearer(kept?.token ?? '', { refreshToken: kept?.refreshToken });
        },
      };
    }),
  ],
  [
    'signIn() ignores its signal',
    SIGN_IN_SIGNAL,
    /signIn\(\) ignored context\.signal: pass it to whatever it waits for/,
    wrong((honest, server) => ({
      async signIn(context) {
        const response = await fetch(`${server.url}/api/signin`, { method: 'POST' }); // for nothing, but without signal
        await response.text();
        return honest.signIn(context);
      },
    })),
  ],
  [
    'signIn() makes a credential out of silence',
    SIGN_IN_SIGNAL,
    /signIn\(\) returned a Credential although nobody answers/,
    wrong((honest) => ({
      signIn: (context) =>
        honest.signIn(context).catch((error) => {
          if (error.response) throw error;
          return Credential.bearer('undefined');
        }),
    })),
  ],
  [
    'refresh() refreshes what it kept, not what it is given',
    REFRESH,
    /refresh\(\) failed the second time with .*\. Refresh what you are given \(current\.refreshToken\)/,
    wrong((honest) => {
      let kept: Credential | undefined;
      return {
        refresh(current, context) {
          kept ??= current;
          return honest.refresh(kept, context);
        },
      };
    }),
  ],
  [
    'refresh() returns what it is given',
    REFRESH,
    /refresh\(\) returned the credential that it was given: return its successor/,
    wrong(() => ({ refresh: async (current) => current })),
  ],
  [
    'refresh() returns a plain object',
    REFRESH,
    /refresh\(\) returned an object that is no Credential/,
    wrong(() => ({ refresh: async () => ({ token: 't' }) as never })),
  ],
  [
    'isRejected() takes no answer for a refusal',
    EXPIRY,
    /50 of 50 calls failed when the credential ended, the first with HTTP status 401, after 0 renewals\. .*isRejected\(\)/,
    wrong(() => ({ isRejected: () => false })),
  ],
  [
    'refresh() swallows a refusal',
    REFRESH_REFUSAL,
    /refresh\(\) swallowed a refusal and returned a Credential/,
    wrong((honest) => ({ refresh: (current, context) => honest.refresh(current, context).catch(() => current) })),
  ],
  [
    'refresh() throws a string',
    REFRESH_REFUSAL,
    /refresh\(\) threw a string when it was refused/,
    wrong((honest) => ({ refresh: (current, context) => honest.refresh(current, context).catch(throwing('no')) })),
  ],
  [
    'refresh() ignores its signal',
    REFRESH_SIGNAL,
    /refresh\(\) ignored context\.signal/,
    wrong((honest, server) => ({
      async refresh(current, context) {
        await (await fetch(`${server.url}/api/token/refresh`, { method: 'POST' })).text();
        return honest.refresh(current, context);
      },
    })),
  ],
  [
    'signIn() calls an outage a refusal',
    OUTAGE,
    /signIn\(\) said ERR_AUTH_REFUSED when it was answered with HTTP status 503, .*: say ERR_AUTH_UNAVAILABLE/,
    inOutage(() => Promise.reject(refused('Refused.'))),
  ],
  [
    'signIn() has no hope in an outage',
    OUTAGE,
    /signIn\(\) threw ERR_AUTH_UNAVAILABLE: Down\. when .*, which is not retryable: say ERR_AUTH_UNAVAILABLE/,
    inOutage(() => Promise.reject(new AuthError('ERR_AUTH_UNAVAILABLE', 'Down.', { hint: 'Wait.' }))),
  ],
  [
    'signIn() retries an outage twenty times',
    OUTAGE,
    /signIn\(\) sent POST http:\/\/127\.0\.0\.1:\d+\/api\/signin 21 times in one outage: send it once and throw/,
    inOutage(async (again) => {
      for (let tries = 1; tries < 20; tries++) await again().catch(() => {});
      return again();
    }),
  ],
  [
    'signIn() makes a credential of whatever is answered',
    OUTAGE,
    /signIn\(\) returned a Credential when it was answered with HTTP status 503, .*: look at the status before the body/,
    inOutage(() => Credential.apiKey('<html>')),
  ],
  [
    'signIn() waits for ever in an outage',
    OUTAGE,
    /signIn\(\) never settled when it was answered out of order/,
    inOutage(() => new Promise(() => {})),
    1_000,
  ],
  [
    'refresh() calls an outage a refusal',
    OUTAGE,
    /refresh\(\) said ERR_AUTH_TOKEN_REFUSED when it was answered with HTTP status 503/,
    wrong((honest) => ({
      refresh: (current, context) =>
        honest.refresh(current, context).catch((error) => {
          if (error.response?.status !== 503) throw error;
          throw new AuthError('ERR_AUTH_TOKEN_REFUSED', 'Refused.', { hint: 'Sign in.' });
        }),
    })),
  ],
  [
    'it follows redirects with the password in the body',
    REDIRECT,
    /signIn\(\) followed a redirect to another server, with a secret in the body: follow none \(axios: maxRedirects: 0/,
    (server) => byOwnClient(server, () => ({ maxRedirects: 5 })),
  ],
  [
    'it follows redirects with the password in a header',
    REDIRECT,
    /signIn\(\) followed a redirect to another server, with a secret in the header x-realm-password/,
    wrong((honest, server) => ({
      async signIn(context) {
        const headers = { 'x-realm-password': passwordOf(server) };
        const realm = await fetch(`${server.url}/api/realm`, { headers, signal: context.signal });
        await realm.body?.cancel();
        return honest.signIn(context);
      },
    })),
  ],
  [
    'refresh() follows redirects with its token',
    REDIRECT,
    /refresh\(\) followed a redirect to another server, with a secret in the body/,
    wrong((honest, server) => ({
      async refresh(current, context) {
        const body = new URLSearchParams({ token: current.refreshToken ?? '' });
        await (await fetch(`${server.url}/api/me`, { method: 'POST', body, signal: context.signal })).body?.cancel();
        return honest.refresh(current, context);
      },
    })),
  ],
  [
    'it reads without bound',
    BOUND,
    /signIn\(\) read 32 MiB of an answer without end: set a limit/,
    (server) => byOwnClient(server, () => ({ maxContentLength: -1 })),
  ],
  [
    'refresh() reads without bound',
    BOUND,
    /refresh\(\) read 32 MiB of an answer without end: set a limit/,
    wrong((honest, server) => ({
      async refresh(current, context) {
        await (await fetch(`${server.url}/api/me`, { redirect: 'manual', signal: context.signal })).text();
        return honest.refresh(current, context);
      },
    })),
  ],
  [
    'isRejected() takes every answer for a refusal',
    REJECTED,
    /isRejected\(\) returned true to HTTP status 400 with .*: return false/,
    wrong(() => ({ isRejected: () => true })),
  ],
  [
    'isRejected() takes a missing role for a refusal',
    REJECTED,
    /isRejected\(\) returned true to HTTP status 401 with \{"message":"you are not privileged\."\}/,
    wrong(() => ({ isRejected: ({ status }) => status === 401 })),
  ],
  [
    'isRejected() expects a body',
    REJECTED,
    /isRejected\(\) threw TypeError: .* to HTTP status 400/,
    wrong(() => ({
      isRejected: ({ status, data }) => status === 401 || (data as { error: { code: string } }).error.code === 'E_AUTH',
    })),
  ],
  [
    'isRejected() is asynchronous',
    REJECTED,
    /isRejected\(\) returned a Promise to HTTP status 400/,
    wrong(() => ({
      isRejected: (({ status }: { status: number }) => (status === 401 ? true : Promise.resolve(false))) as never,
    })),
  ],
  [
    'authorize() changes where a request goes',
    AUTHORIZE,
    /authorize\(\) tried to change request\.url/,
    wrong(() => ({
      authorize(request, credential) {
        credential.applyTo(request.headers);
        (request as { url: string }).url += '?signed';
      },
    })),
  ],
  [
    'authorize() changes the body',
    AUTHORIZE,
    /authorize\(\) changed the bytes of the body/,
    wrong(() => ({
      authorize({ headers, body }, credential) {
        credential.applyTo(headers);
        if (body instanceof Uint8Array) body.reverse();
      },
    })),
  ],
  [
    'authorize() reads a stream',
    AUTHORIZE,
    /authorize\(\) read a body that is a stream/,
    wrong(() => ({
      async authorize({ headers, body }, credential) {
        credential.applyTo(headers);
        if (typeof body === 'object' && body !== null && Symbol.asyncIterator in body)
          for await (const chunk of body as AsyncIterable<Buffer>) headers.set('x-length', String(chunk.length));
      },
    })),
  ],
  [
    "authorize() takes away the caller's headers",
    AUTHORIZE,
    /authorize\(\) changed x-of-the-caller, a header of the caller/,
    wrong(() => ({
      authorize({ headers }, credential) {
        credential.applyTo(headers);
        headers.delete('x-of-the-caller');
      },
    })),
  ],
  [
    'authorize() signs in for every request',
    AUTHORIZE,
    /authorize\(\) sent POST http:\/\/127\.0\.0\.1:\d+\/api\/signin: it runs for every request/,
    wrong((_honest, server) => ({
      async authorize({ headers }, credential) {
        await (await fetch(`${server.url}/api/signin?for=this`, { method: 'POST' })).text();
        credential.applyTo(headers);
      },
    })),
  ],
  [
    'authorize() never settles for a body',
    AUTHORIZE,
    /authorize\(\) never settled/,
    wrong(() => ({
      async authorize({ headers, body }, credential) {
        credential.applyTo(headers);
        if (body !== undefined) await new Promise(() => {});
      },
    })),
    1_000,
  ],
  [
    'an error has the password in its message',
    SECRETS,
    /The AuthError of signIn\(\) shows a secret \(in String\): name the setting, never its value/,
    (server) => whenRefused(() => Promise.reject(refused(`"${passwordOf(server)}" was refused.`)))(server),
  ],
  [
    'an error has the password, encoded, in its hint',
    SECRETS,
    /The AuthError of signIn\(\) shows a secret \(in inspect\)/,
    (server) => {
      const encoded = Buffer.from(passwordOf(server)).toString('base64');
      return whenRefused(() => Promise.reject(refused('Refused.', { hint: encoded })))(server);
    },
  ],
  [
    'an error has the password in its cause',
    SECRETS,
    /The AuthError of signIn\(\) shows a secret \(in inspect\): .*give no cause that holds it/,
    (server) => whenRefused(() => Promise.reject(refused('Refused.', { cause: { sent: passwordOf(server) } })))(server),
  ],
  [
    'the strategy has the password in a field',
    SECRETS,
    /The strategy, when printed, shows a secret \(in inspect\): keep it in a #private field/,
    wrong((_honest, server) => ({ password: passwordOf(server) })),
  ],
  [
    'the strategy has its last token in a field',
    SECRETS,
    /The strategy, when printed, shows a secret/,
    wrong((honest) => ({
      async refresh(current, context) {
        this['last'] = current.refreshToken;
        return honest.refresh(current, context);
      },
    })),
  ],
  [
    'the names of settings have values',
    SECRETS,
    /The strategy without settings, when printed, shows a secret|What missing\(\) returns shows a secret/,
    (server) => ({
      ...underTest(server),
      unconfigured: Object.assign(new SessionStrategy({}), { example: passwordOf(server) }),
    }),
  ],
  [
    'it prints its password to the console',
    PRINTS,
    /A secret was printed to the console: take it out of what the strategy prints/,
    withPassword((password) => console.log('signing in', { password })),
  ],
  [
    'it prints its password to stdout',
    PRINTS,
    /A secret was printed to stdout/,
    withPassword((password) => void process.stdout.write(`${password}\n`)),
  ],
  [
    'it prints its password, encoded, to stderr',
    PRINTS,
    /A secret was printed to stderr/,
    withPassword((password) => void process.stderr.write(Buffer.from(encodeURIComponent(password)))),
  ],
  [
    'it has its token in a process warning',
    PRINTS,
    /A secret was printed to a process warning/,
    wrong((honest) => ({
      async refresh(current, context) {
        process.emitWarning(`${current.refreshToken} is old`);
        return honest.refresh(current, context);
      },
    })),
  ],
  [
    'its constructor prints',
    PRINTS,
    /A secret was printed to the console/,
    (server) =>
      underTest(server, (user) => {
        console.debug('%o', user);
        return new SessionStrategy(user);
      }),
  ],
  [
    'it sends its password in the query',
    SENT,
    /signIn\(\) sent a secret in the URL \(POST http:\/\/127\.0\.0\.1:\d+\/api\/signin\): send it in a header or the body/,
    (server) => byOwnClient(server, (password) => ({ params: { password } })),
  ],
  [
    'it sends its password in a header that is for something else',
    SENT,
    /signIn\(\) sent a secret in user-agent \(GET .*\/api\/me\): send it in Authorization/,
    wrong((honest, server) => ({
      async signIn(context) {
        const headers = { 'user-agent': `wrong/1 (${Buffer.from(`me:${passwordOf(server)}`).toString('base64')})` };
        await (
          await fetch(`${server.url}/api/me`, { headers, redirect: 'manual', signal: context.signal })
        ).body?.cancel();
        return honest.signIn(context);
      },
    })),
  ],
  [
    'authorize() sends the password in a header of its own',
    SENT,
    /authorize\(\) put a secret into x-debug, which is no header of the credential: put it into the Credential/,
    wrong((_honest, server) => ({
      authorize({ headers }, credential) {
        credential.applyTo(headers);
        headers.set('X-Debug', `by ${passwordOf(server)}`);
      },
    })),
  ],
  [
    'its credential is in a header that is for something else',
    SENT,
    /signIn\(\) put the credential into x-request-id: use a header made for it/,
    wrong((honest) => ({
      async signIn(context) {
        const headers = new Map<string, string>();
        (await honest.signIn(context)).applyTo(headers);
        return Credential.headers({ ...Object.fromEntries(headers), 'x-request-id': 'r'.repeat(20) });
      },
    })),
  ],
  [
    'the suite has secrets so short that they are found by chance',
    SECRETS,
    /has 4 characters: make each at least 8 long/,
    (server) => ({ ...underTest(server), secrets: ['good'] }),
  ],
  [
    'the suite ends nothing',
    EXPIRY,
    /expire\(\) of this suite does not end the credential/,
    (server) => ({ ...underTest(server), expire: () => {} }),
  ],
  [
    'the suite cannot make anybody refuse',
    MISSING,
    /create\(\) gives no refuse\(\)\. Give one, or say without: \['refuse'\]/,
    (server) => {
      const { refuse: _, ...rest } = underTest(server);
      return rest as StrategyUnderTest;
    },
  ],
];

test.each(WRONG)(
  '%s: %s',
  async (_name, title, says, create, timeoutMs = 2_000) => {
    for (const stream of [process.stdout, process.stderr]) jest.spyOn(stream, 'write').mockReturnValue(true);
    for (const method of ['log', 'debug'] as const) jest.spyOn(console, method).mockReturnValue(undefined);
    jest.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    const passwords: string[] = [];
    const errors = await errorsOf({
      timeoutMs,
      create(server) {
        passwords.push(passwordOf(server));
        return create(server);
      },
    });
    const failures = Object.fromEntries(Object.entries(errors).map(([name, { message }]) => [name, message]));
    expect(failures).toEqual({ [title]: expect.stringMatching(says) });
    const shown = Object.values(errors)
      .map(({ stack }) => stack)
      .join();
    expect(passwords.filter((password) => shown.includes(password))).toEqual([]);
  },
  60_000,
);

test('a bug of the strategy is shown with its stack frames, and without the secret in its message', async () => {
  const passwords: string[] = [];
  const errors = await errorsOf({
    create: wrong((_honest, server) => ({
      async signIn() {
        passwords.push(passwordOf(server));
        throw new RangeError(`no use for ${passwordOf(server)}`);
      },
    })),
  });
  const { stack = '' } = errors[SIGN_IN] as Error;
  expect(stack).toMatch(/^Error: signIn\(\) failed although .*: RangeError: no use for \[hidden\]\n/);
  expect(stack).toMatch(/\n +at .*signIn.* \(.*describe-auth-strategy\.test\.ts:\d+:\d+\)\n/);
  expect(passwords.filter((password) => stack.includes(password))).toEqual([]);
});

describe('a case that did not run is reported as skipped', () => {
  /** What each case has told a runner to skip it for, by title. */
  async function skippedBy(
    cases: Map<string, Body>,
    call: (body: Body, skip: (reason: string) => void) => Promise<void>,
  ): Promise<Record<string, string>> {
    const skipped: Record<string, string> = {};
    for (const [title, body] of cases) {
      await call(body, (reason) => {
        skipped[title] = reason;
      }).catch(() => {});
    }
    return skipped;
  }
  const asArgument = (body: Body, skip: (reason: string) => void) => body.call(undefined, { skip });
  const asThis = (body: Body, skip: (reason: string) => void) => body.call({ skip }, () => {});

  test.each([
    ['its argument, as with node:test and vitest', asArgument],
    ['its this, as with mocha', asThis],
  ])('to %s', async (_name, call) => {
    expect(await skippedBy(casesOf({ create: (server) => underTest(server) }), call)).toEqual({
      [REJECTED]: 'There is no isRejected().',
      [AUTHORIZE]: 'There is no authorize().',
    });
  });

  it('also where something else failed before', async () => {
    const create = wrong(() => ({ missing: () => ['SESSION_REALM'] }));
    const cases = casesOf({ create });
    const skipped = await skippedBy(cases, asArgument);
    expect([MISSING, ...Object.keys(skipped)]).toEqual([...cases.keys()]);
    expect(skipped[SIGN_IN]).toBe(`It builds on "${MISSING}".`);
  });

  it('also where nobody is asked, and nothing ends the credential', async () => {
    const create = (server: QelosServer) => {
      const apiToken = server.issueApiToken();
      const strategy = { name: 'fixed', missing: () => [], signIn: async () => Credential.apiKey(apiToken) };
      return { strategy, secrets: [apiToken] };
    };
    const cases = casesOf<StrategyObstacle>({ create, without: ['refuse', 'hang'] });
    const skipped = await skippedBy(cases, asArgument);
    const nobody = 'The strategy asks nobody by HTTP from this process.';
    expect(skipped).toEqual({
      [REFRESH]: 'There is no refresh().',
      [EXPIRY]: 'Nothing ends the credential: create() gives no expire().',
      [OUTAGE]: nobody,
      [REDIRECT]: nobody,
      [BOUND]: nobody,
      [REJECTED]: 'There is no isRejected().',
      [AUTHORIZE]: 'There is no authorize().',
    });
  });

  const ROOT = join(__dirname, '../..');
  const SIGNING = 'the strategy "signing"';
  const NOT_SIGNING = [
    ...[REFUSAL, SIGN_IN_SIGNAL, REFRESH, EXPIRY, REFRESH_REFUSAL, REFRESH_SIGNAL],
    ...[OUTAGE, REDIRECT, BOUND, REJECTED],
  ];

  it('by jest', () => {
    const args = ['-w', '1', '--json', __filename, '-t', SIGNING];
    const printed = execFileSync(join(ROOT, 'node_modules/.bin/jest'), args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: 'pipe',
    });
    const [{ assertionResults }] = JSON.parse(printed).testResults as [
      { assertionResults: { ancestorTitles: string[]; title: string; status: string }[] },
    ];
    const ours = assertionResults.filter(({ ancestorTitles }) => ancestorTitles[0]?.startsWith(SIGNING));
    expect(ours.filter(({ status }) => status === 'pending').map(({ title }) => title)).toEqual(NOT_SIGNING);
    expect(ours.filter(({ status }) => status === 'passed')).toHaveLength(ours.length - NOT_SIGNING.length);
  }, 60_000);

  it('by node:test', () => {
    const args = ['--import', 'tsx', '--test', '--test-reporter=tap', join(__dirname, 'children/fixed.node.ts')];
    // Within jest's workers, node:test believes to be one of its own.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined };
    const printed = execFileSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', env, stdio: 'pipe' });
    const skipped = [...printed.matchAll(/^ +ok \d+ - (.*) # SKIP/gm)].map(([, title]) => title);
    expect(skipped).toEqual(NOT_SIGNING.concat(AUTHORIZE).sort((a, b) => printed.indexOf(a) - printed.indexOf(b)));
    expect(printed).toMatch(/^# fail 0$/m);
  }, 60_000);
});
