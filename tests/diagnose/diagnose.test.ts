import { createServer as createTlsServer } from 'node:https';
import { beforeEach, describe, expect, test } from '@jest/globals';
import MockAdapter from 'axios-mock-adapter';
import { undici } from 'qelos-auth/undici';
import { type Check, type CheckId, createQelosAuth, type Diagnosis, diagnose, isAuthError } from '../../src';
import { type QelosServer, type QelosServerUser, startQelosServer } from '../../src/testing';
import { type Answer, listen, startBackend } from '../support/backend';
import { selfSigned } from '../support/certificate';
import { leaks } from '../support/secrets';
import { whenDone } from '../support/when-done';

const TOKEN = `ql_${'5'.repeat(64)}`;
const REFUSED = { message: 'you are not authorized. must be logged in.' };

let server: QelosServer;
let user: QelosServerUser;

beforeEach(async () => {
  server = await startQelosServer();
  whenDone(() => server.close());
  user = server.users[1] as QelosServerUser;
});

function accountOf(config: Parameters<typeof createQelosAuth>[0] & object) {
  const auth = createQelosAuth({ env: {}, ...config });
  whenDone(() => auth.close());
  return auth;
}

const byToken = (url = server.url, apiToken = TOKEN) => accountOf({ config: { url, apiToken } });
const byPassword = (password = user.password) =>
  accountOf({ config: { url: server.url, username: user.username, password } });

function check({ checks }: Diagnosis, id: CheckId): Check {
  const found = checks.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`there is no check "${id}"`);
  return found;
}

/** What is seen of a server that answers as told to whoever has no credential, and counts credentials as a fault. */
async function seenOf(answer: Answer): Promise<{ diagnosis: Diagnosis; server: Check; credentials: number }> {
  const backend = await startBackend();
  backend.on('/api/me', answer);
  const diagnosis = await diagnose(byToken(backend.url), { timeoutMs: 2000 });
  const credentials = backend.received.filter(({ headers }) => headers['x-api-key'] !== undefined).length;
  return { diagnosis, server: check(diagnosis, 'server'), credentials };
}

describe('an account that is well', () => {
  test('is ok in every check, in the order from the URL to the identity', async () => {
    const auth = byToken(server.url, server.issueApiToken({ username: user.username }));
    const diagnosis = await diagnose(auth, { probe: { method: 'GET', path: '/api/me?x=1' } });
    expect(diagnosis).toMatchObject({ outcome: 'ok', url: server.url, strategy: 'api-token' });
    expect(Date.parse(diagnosis.checkedAt)).toBeLessThanOrEqual(Date.now());
    expect(diagnosis.checks.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      'url ok',
      'dns ok',
      'server ok',
      'clock ok',
      'sign-in ok',
      'identity ok',
      'workspace ok',
      'probe ok',
    ]);
    expect(check(diagnosis, 'probe').seen).toMatch(/^GET \/api\/me: HTTP status 200 in \d+ ms$/);
  });

  test('is plain data without a secret', async () => {
    const token = server.issueApiToken({ username: user.username });
    for (const auth of [byToken(server.url, token), byPassword()]) {
      const diagnosis = await diagnose(auth);
      expect(JSON.parse(JSON.stringify(diagnosis))).toEqual(diagnosis);
      expect(leaks(diagnosis, [token, user.password])).toEqual([]);
    }
  });

  test.each([
    ['an API token', () => byToken(server.url, server.issueApiToken()), 3, 2],
    ['a password', () => byPassword(), 3, 2],
  ])('%s costs few requests, and no second sign-in', async (_what, account, cold, warm) => {
    const auth = account();
    await diagnose(auth);
    expect(server.requests.count()).toBe(cold);
    server.requests.reset();
    await diagnose(auth);
    expect(server.requests.count()).toBe(warm);
    expect(server.requests.count({ path: '/api/signin' })).toBe(0);
  });

  test('many who ask at once share one diagnosis; one with a probe has its own', async () => {
    const auth = byToken(server.url, server.issueApiToken());
    const all = await Promise.all(Array.from({ length: 50 }, () => diagnose(auth)));
    expect(new Set(all).size).toBe(1);
    expect(server.requests.count()).toBe(3);
    const probe = { method: 'HEAD', path: '/api/users' } as const;
    const [plain, probed] = await Promise.all([diagnose(auth), diagnose(auth, { probe })]);
    expect(plain).not.toBe(all[0]);
    expect(check(probed, 'probe').outcome).toBe('ok');
  });

  test('is so over undici too', async () => {
    const config = { url: server.url, apiToken: server.issueApiToken() };
    expect(await diagnose(accountOf({ config, transport: undici() }))).toMatchObject({ outcome: 'ok' });
  });

  test('is so with a mock below auth.http', async () => {
    const fake = byToken('https://qelos.test', TOKEN);
    const mock = new MockAdapter(fake.http);
    mock.onGet('/api/me').reply(401, REFUSED);
    const diagnosis = await diagnose(fake, { timeoutMs: 500 });
    expect([check(diagnosis, 'server').outcome, check(diagnosis, 'dns').outcome]).toEqual(['ok', 'skipped']);
  });
});

describe('an account that is not', () => {
  test('a refused sign-in is not tried again before its time, however often it is asked', async () => {
    const auth = byPassword('wrong-password');
    for (let i = 0; i < 5; i++) {
      const diagnosis = await diagnose(auth);
      expect(check(diagnosis, 'sign-in')).toMatchObject({
        outcome: 'failed',
        seen: expect.stringContaining('were refused'),
      });
    }
    expect(server.requests.count({ path: '/api/signin' })).toBe(1);
  });

  test('one that was closed says so', async () => {
    const auth = byPassword();
    await auth.close();
    const error = await auth.signIn().catch((reason: unknown) => reason);
    expect(check(await diagnose(auth), 'sign-in')).toMatchObject({
      outcome: 'failed',
      seen: isAuthError(error) ? error.message : '',
    });
  });

  test('a user without a role is worth a look', async () => {
    server.route('GET', '/api/me', ({ user: me }) => ({ body: { ...me, roles: [] } }));
    const diagnosis = await diagnose(byToken(server.url, server.issueApiToken()));
    expect(check(diagnosis, 'identity')).toMatchObject({
      outcome: 'warning',
      seen: expect.stringContaining('without any role'),
    });
  });

  test.each([
    ['deployed', () => server.deploy(), 'sign-in', 'were refused'],
    ['stopped', () => server.stopAuthService(), 'server', 'while other services answer'],
  ] as const)('the auth service being %s is told from a fault of the account', async (_what, begin, id, text) => {
    begin();
    const { seen, meaning } = check(await diagnose(byPassword()), id);
    expect(seen).toContain(text);
    expect(meaning).toMatch(/auth service (may be restarting|is down)/);
  });

  test('a session that lives while the auth service is frozen is told from one that ended', async () => {
    const auth = byPassword();
    await auth.signIn();
    server.freezeDatabase();
    const diagnosis = await diagnose(auth, { timeoutMs: 500 });
    expect(check(diagnosis, 'server').outcome).toBe('ok');
    expect(check(diagnosis, 'sign-in')).toMatchObject({
      outcome: 'failed',
      seen: 'No answer to a call with a credential within 500 ms, while one without is answered.',
    });
  });

  test('an AuthError of a strategy of their own is shown with its hint', async () => {
    const strategy = {
      name: 'own',
      missing: () => [],
      signIn: async () => {
        throw new Error('secret inside');
      },
    };
    const auth = accountOf({ config: { url: server.url }, strategies: [strategy] });
    const { seen, next } = check(await diagnose(auth), 'sign-in');
    expect(seen).toContain('The strategy "own" failed');
    expect(next).toContain('fault in the strategy');
    expect(seen).not.toContain('secret inside');
  });
});

describe('what answers is not Qelos: the credential is not sent', () => {
  test.each<[string, Answer, RegExp, RegExp]>([
    [
      'a log-in page',
      (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<form>'),
      /^A web page came/,
      /proxy, a firewall or a log-in page/,
    ],
    [
      'another API',
      (_request, response) =>
        response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"no route"}'),
      /^What answers is not the API of Qelos \(HTTP status 404, application\/json: "no route"\)/,
      /something else/,
    ],
    [
      'a proxy that signs in for everybody',
      (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"_id":"1"}'),
      /^A call without a credential was answered as that of a user/,
      /calls run as somebody else/,
    ],
    [
      'a limit',
      (_request, response) => response.writeHead(429, { 'retry-after': '17' }).end(),
      /\(HTTP status 429, Retry-After: 17\)/,
      /a proxy in front of it counts/,
    ],
    [
      'a redirect inside the origin',
      (_request, response) => response.writeHead(302, { location: '/maintenance' }).end(),
      /redirect \(302\) to http:\/\/127/,
      /maintenance page/,
    ],
    [
      'a redirect without a target',
      (_request, response) => response.writeHead(302).end(),
      /not the API of Qelos \(HTTP status 302/,
      /something else/,
    ],
    [
      'a connection that is reset',
      (_request, response) => response.socket?.resetAndDestroy(),
      /\(ECONNRESET\)/,
      /crashing/,
    ],
    [
      'an answer that never ends',
      (_request, response) => {
        response.writeHead(401, { 'content-type': 'application/json' });
        const drip = setInterval(() => response.write(' '), 100);
        response.once('close', () => clearInterval(drip));
      },
      /^No answer from .* within 2000 ms/,
      /hangs or is overloaded/,
    ],
  ])(
    '%s',
    async (_what, answer, seen, meaning) => {
      const found = await seenOf(answer);
      expect(found.server).toMatchObject({ outcome: 'failed', next: expect.any(String) });
      expect(found.server.seen).toMatch(seen);
      expect(found.server.meaning).toMatch(meaning);
      expect(found.credentials).toBe(0);
      expect(check(found.diagnosis, 'sign-in').outcome).toBe('skipped');
    },
    15_000,
  );

  test('what a server repeats of a secret, or sends to steer the terminal, is not shown', async () => {
    const token = `ey${'J9'.repeat(20)}.e30.c2ln`;
    const found = await seenOf((_request, response) => {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ message: `no ${TOKEN} or ${token}\u001b[2J` }));
    });
    expect(found.server.seen).toContain('"no [hidden] or [hidden] [2J"');
  });

  test('a name that has no address', async () => {
    // Longer than a label may be (RFC 1035, 2.3.4): no name server is asked.
    const name = `${'a'.repeat(64)}.example`;
    const diagnosis = await diagnose(byToken(`https://${name}`), { timeoutMs: 2000 });
    expect(check(diagnosis, 'dns')).toMatchObject({ outcome: 'failed', next: expect.stringContaining('nslookup') });
    expect(check(diagnosis, 'server').outcome).toBe('skipped');
  });
});

describe('the certificate', () => {
  async function secure(days: number): Promise<{ url: string; cert: string }> {
    const { key, cert } = await selfSigned({ notAfterDate: new Date(Date.now() + days * 86_400_000) });
    const tls = createTlsServer({ key, cert }, (_request, response) => {
      response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify(REFUSED));
    });
    whenDone(() => {
      tls.closeAllConnections();
      return new Promise((resolve) => tls.close(resolve));
    });
    return { url: `https://127.0.0.1:${await listen(tls)}`, cert };
  }

  test.each([
    [90.5, 'ok', 'certificate valid for 90 more days'],
    [13.5, 'warning', 'certificate valid for 13 more days'],
    [1.5, 'warning', 'certificate valid for 1 more day '],
  ])('with %d days left it is %s', async (days, outcome, seen) => {
    const { url, cert } = await secure(days);
    const { Agent } = await import('node:https');
    const auth = accountOf({ config: { url, apiToken: TOKEN }, axios: { httpsAgent: new Agent({ ca: cert }) } });
    expect(check(await diagnose(auth), 'tls')).toMatchObject({ outcome, seen: expect.stringContaining(seen) });
  });

  test('one that has ended is failed, and the server is not asked', async () => {
    const { url, cert } = await secure(-1);
    const { Agent } = await import('node:https');
    const auth = accountOf({ config: { url, apiToken: TOKEN }, axios: { httpsAgent: new Agent({ ca: cert }) } });
    const diagnosis = await diagnose(auth);
    expect(check(diagnosis, 'tls')).toMatchObject({
      outcome: 'failed',
      seen: expect.stringContaining('CERT_HAS_EXPIRED'),
    });
    expect(check(diagnosis, 'server').outcome).toBe('skipped');
  });

  test('a port that speaks no TLS', async () => {
    const diagnosis = await diagnose(byToken(server.url.replace('http:', 'https:')), { timeoutMs: 2000 });
    expect(check(diagnosis, 'tls')).toMatchObject({
      outcome: 'failed',
      meaning: expect.stringContaining('does not speak TLS'),
    });
  });
});

describe('the clock', () => {
  test.each([
    [0, 'ok', 'agrees'],
    [3_600_000, 'warning', 'behind that of the server'],
    [-3_600_000, 'warning', 'ahead of that of the server'],
  ])('%d ms between the clocks', async (ms, outcome, seen) => {
    const found = await seenOf((_request, response) => {
      const date = new Date(Date.now() + ms).toUTCString();
      response.writeHead(401, { 'content-type': 'application/json', date }).end(JSON.stringify(REFUSED));
    });
    expect(check(found.diagnosis, 'clock')).toMatchObject({ outcome, seen: expect.stringContaining(seen) });
  });
});

describe('the probe', () => {
  test.each<[string, number, unknown, RegExp]>([
    ['a role is missing (401)', 401, { message: 'you are not privileged.' }, /lacks a role/],
    ['a role is missing (403)', 403, { message: 'not permitted' }, /lacks a role/],
    ['an empty 401', 401, undefined, /either the user lacks a role, or the gateway could not ask/],
    ['no plugin has the path', 401, { message: 'plugin not exist' }, /not about the credential/],
    ['nothing is there', 404, undefined, /nothing at this path/],
    ['the service is out of order', 503, undefined, /out of order/],
    ['the call is not accepted', 422, { message: 'limit is missing' }, /did not accept/],
  ])('%s', async (_what, status, body, meaning) => {
    server.fail('/api/shop', body === undefined ? { status } : { status, body });
    const auth = byToken(server.url, server.issueApiToken());
    const found = check(await diagnose(auth, { probe: { method: 'GET', path: '/api/shop?key=secret' } }), 'probe');
    expect(found).toMatchObject({
      outcome: 'failed',
      seen: expect.stringContaining(`GET /api/shop: HTTP status ${status}`),
    });
    expect(found.meaning).toMatch(meaning);
    expect(found.seen).not.toContain('secret');
  });

  test('no answer', async () => {
    server.fail('/api/shop', 'hang');
    const auth = byToken(server.url, server.issueApiToken());
    const options = { probe: { method: 'GET', path: '/api/shop' }, timeoutMs: 500 } as const;
    expect(check(await diagnose(auth, options), 'probe').seen).toBe('GET /api/shop: no answer.');
  });

  test('without a credential it is not made', async () => {
    const auth = byPassword('wrong-password');
    const probe = { method: 'GET', path: '/api/shop' } as const;
    expect(check(await diagnose(auth, { probe }), 'probe').outcome).toBe('skipped');
    expect(server.requests.count({ path: '/api/shop' })).toBe(0);
  });
});

describe('a URL alone', () => {
  test('is looked at from outside', async () => {
    const diagnosis = await diagnose({ url: server.url });
    expect(diagnosis.checks.map(({ id }) => id)).toEqual(['url', 'dns', 'server', 'clock']);
    expect(diagnosis).not.toHaveProperty('strategy');
  });

  test('that is not https is worth a look', async () => {
    const diagnosis = await diagnose({ url: `http://[::ffff:127.0.0.1]:${new URL(server.url).port}` });
    expect(check(diagnosis, 'url')).toMatchObject({
      outcome: 'warning',
      next: expect.stringContaining('https://[::ffff:7f00:1]'),
    });
  });
});
