import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, test } from '@jest/globals';
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

/** What the cases of a suite come to: by title, the message of those that fail. */
async function failuresOf(suite: Omit<AuthStrategySuite, 'describe' | 'it'>): Promise<Record<string, string>> {
  const cases: [title: string, body: () => Promise<void>][] = [];
  describeAuthStrategy('wrong', {
    describe: (_name, body) => body(),
    it: (title, body) => cases.push([title, body]),
    ...suite,
  });
  const failures: Record<string, string> = {};
  for (const [title, body] of cases) {
    const failure = await body().catch((error: Error) => error);
    if (failure) failures[title] = failure.message;
  }
  return failures;
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

const refused = (message: string, details: { hint?: string; retryable?: boolean; cause?: unknown } = {}) =>
  new AuthError('ERR_AUTH_REFUSED', message, { hint: 'Set SESSION_PASSWORD.', status: 401, ...details });

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
const SECRETS = 'no secret shows: not in errors, not in events, not in the strategy itself';

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
    'signIn() calls every refusal a contradiction of the server',
    REFUSAL,
    /One refusal was tried \d+ times: leave out retryable: true/,
    whenRefused(() => Promise.reject(refused('Refused.', { retryable: true }))),
    1_000,
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
    wrong(() => ({ isRejected: (async ({ status }: { status: number }) => status === 401) as never })),
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
    const passwords: string[] = [];
    const failures = await failuresOf({
      timeoutMs,
      create(server) {
        passwords.push(passwordOf(server));
        return create(server);
      },
    });
    expect(failures).toEqual({ [title]: expect.stringMatching(says) });
    expect(passwords.filter((password) => JSON.stringify(failures).includes(password))).toEqual([]);
  },
  30_000,
);
