import { Agent } from 'node:https';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  type AuthContext,
  type AuthEvents,
  type AuthStrategy,
  Credential,
  createQelosAuth,
  type QelosAuth,
  TenantAuth,
} from '../../src';
import { sendJson, startBackend } from '../support/backend';
import { selfSigned } from '../support/certificate';
import { whenDone } from '../support/when-done';
import { failureOf } from './obtaining';

const key = 'key-of-the-partner';

/** An account whose strategy asks a broker for its key. */
function open(url: string, broker: string, { strategy = {}, ...options }: Options = {}): QelosAuth {
  const auth = createQelosAuth({ env: {}, config: { url }, strategies: [brokered(broker, strategy)], ...options });
  whenDone(() => auth.close());
  return auth;
}

type Options = { strategy?: Partial<AuthStrategy>; axios?: object };

function brokered(broker: string, members: Partial<AuthStrategy> = {}): AuthStrategy {
  return {
    name: 'brokered',
    missing: () => [],
    async signIn({ client }: AuthContext) {
      const { data } = await client(broker).post('/keys', { key });
      return Credential.apiKey(data.apiKey);
    },
    ...members,
  };
}

describe('context.client: a server other than the Qelos instance', () => {
  it('is asked without credential, below its base URL', async () => {
    const [qelos, broker] = [await startBackend(), await startBackend()];
    broker.on('/v1/keys', (_request, response) => sendJson(response, 200, { apiKey: qelos.apiToken }));
    expect((await open(qelos.url, `${broker.url}/v1`).http.get('/api/me')).status).toBe(200);
    expect(broker.to('/v1/keys').map(({ body }) => JSON.parse(`${body}`))).toEqual([{ key }]);
    expect(broker.received[0]?.headers).not.toHaveProperty('authorization');
  });

  it('that redirects is not followed', async () => {
    const [qelos, broker, stranger] = [await startBackend(), await startBackend(), await startBackend()];
    broker.on('/keys', (_request, response) => response.writeHead(307, { location: `${stranger.url}/keys` }).end());
    const error = await failureOf(open(qelos.url, broker.url).http.get('/api/me'));
    expect(error).toMatchObject({
      code: 'ERR_AUTH_REDIRECT',
      message: expect.stringContaining(new URL(broker.url).host),
    });
    expect(stranger.received).toEqual([]);
  });

  it('that answers without end is read up to a limit', async () => {
    const [qelos, broker] = [await startBackend(), await startBackend()];
    broker.on('/keys', (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`"${'x'.repeat(2 * 1024 * 1024)}"`);
    });
    const error = await failureOf(open(qelos.url, broker.url).http.get('/api/me'));
    expect(error).toMatchObject({ code: 'ERR_AUTH_BAD_RESPONSE', message: expect.stringMatching(/more than/) });
  });

  it('is left with the signal', async () => {
    const [qelos, broker] = [await startBackend(), await startBackend()];
    const asked = new Promise<void>((resolve) => broker.on('/keys', () => resolve()));
    const auth = open(qelos.url, broker.url);
    const failure = failureOf(auth.http.get('/api/me'));
    await asked;
    await auth.close();
    expect(await failure).toMatchObject({ code: 'ERR_AUTH_CLOSED' });
  });

  it('has its errors without what was sent', async () => {
    const [qelos, broker] = [await startBackend(), await startBackend()];
    broker.on('/keys', (_request, response) => sendJson(response, 418, { error: 'no' }));
    let seen: unknown;
    const strategy: Partial<AuthStrategy> = {
      async signIn({ client }) {
        await client(broker.url)
          .post('/keys', { key }, { headers: { 'x-key': key } })
          .catch((error) => (seen = error));
        return Credential.apiKey(qelos.apiToken);
      },
    };
    await open(qelos.url, broker.url, { strategy }).http.get('/api/me');
    expect(seen).toMatchObject({ response: { status: 418, data: { error: 'no' } } });
    expect(JSON.stringify(seen)).not.toContain(key);
  });

  it('is reached by the agent of the instance, with its certificates', async () => {
    const tls = await selfSigned();
    const [qelos, broker] = [await startBackend(), await startBackend({ tls })];
    broker.on('/keys', (_request, response) => sendJson(response, 200, { apiKey: qelos.apiToken }));
    const url = broker.url.replace('127.0.0.1', 'localhost');
    const httpsAgent = new Agent({ ca: tls.cert });
    whenDone(() => httpsAgent.destroy());
    expect((await open(qelos.url, url, { axios: { httpsAgent } }).http.get('/api/me')).status).toBe(200);
    expect(await failureOf(open(qelos.url, url).http.get('/api/me'))).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE' });
  });

  it('is the only one that its client sends to', async () => {
    const [qelos, broker, stranger] = [await startBackend(), await startBackend(), await startBackend()];
    const strategy: Partial<AuthStrategy> = {
      async signIn({ client }) {
        await client(broker.url).post(`${stranger.url}/keys`, { key });
        return Credential.apiKey('never');
      },
    };
    const error = await failureOf(open(qelos.url, broker.url, { strategy }).http.get('/api/me'));
    expect(error).toMatchObject({ code: 'ERR_AUTH_INSECURE_URL' });
    expect(stranger.received).toEqual([]);
  });

  it.each([
    ['a path', '/keys'],
    ['nothing', undefined],
    ['another scheme', 'file:///etc/passwd'],
    ['a user name in it', 'https://someone:secret-1@id.example'],
  ])('cannot be %s: an AuthError that does not show it', async (_name, broker) => {
    const qelos = await startBackend();
    const error = await failureOf(open(qelos.url, broker as string).http.get('/api/me'));
    expect(error).toMatchObject({ code: 'ERR_AUTH_CONFIG', message: expect.stringContaining('"brokered"') });
    expect(error.message).not.toMatch(/passwd|secret-1/);
  });

  it('can be asked for a tenant too', async () => {
    const [qelos, broker] = [await startBackend(), await startBackend()];
    broker.on('/keys', (_request, response) => sendJson(response, 200, { apiKey: qelos.apiToken }));
    const tenants = new TenantAuth(() => ({ url: qelos.url }), { strategies: () => [brokered(broker.url)] });
    whenDone(() => tenants.close());
    expect((await (await tenants.for('acme')).http.get('/api/me')).status).toBe(200);
  });
});

describe('context.prompt: what a person has to do', () => {
  const expiresAt = new Date('2030-01-01T12:00:00Z');
  const action = {
    message: 'Open the page and enter the code.',
    url: 'https://id.example/device',
    code: 'ABCD-EFGH',
    expiresAt,
  };
  const isTTY = Object.getOwnPropertyDescriptor(process.stderr, 'isTTY');
  const atTerminal = (value: boolean) => Object.defineProperty(process.stderr, 'isTTY', { value, configurable: true });

  afterEach(() => {
    if (isTTY) Object.defineProperty(process.stderr, 'isTTY', isTTY);
    else Reflect.deleteProperty(process.stderr, 'isTTY');
  });

  /** What is printed while a strategy asks for an action. */
  async function printed(asked: object, listen: (auth: QelosAuth) => void = () => {}): Promise<string> {
    const qelos = await startBackend();
    const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    const strategy: Partial<AuthStrategy> = {
      async signIn({ prompt }) {
        prompt(asked as typeof action);
        return Credential.apiKey(qelos.apiToken);
      },
    };
    const auth = open(qelos.url, qelos.url, { strategy });
    listen(auth);
    await auth.http.get('/api/me');
    return write.mock.calls.map(([text]) => String(text)).join('');
  }

  it('is an event, and nothing is printed where one listens', async () => {
    atTerminal(true);
    const told: AuthEvents['actionRequired'][] = [];
    const text = await printed({ ...action, secret: key }, (auth) =>
      auth.on('actionRequired', (event) => told.push(event)),
    );
    expect(told).toEqual([expect.objectContaining({ strategy: 'brokered', ...action })]);
    expect(JSON.stringify(told)).not.toContain(key);
    expect(text).toBe('');
  });

  it('is printed at a terminal where no one listens', async () => {
    atTerminal(true);
    const text = await printed(action);
    expect(text).toContain('The strategy "brokered" needs you: Open the page and enter the code.\n');
    for (const part of [action.url, action.code, 'until']) expect(text).toContain(part);
  });

  it('has no effect on the terminal but its text', async () => {
    atTerminal(true);
    const text = await printed({ message: 'a\u001b[2Jb\r\nc\u202ed', code: '\u0007X' });
    expect(text).toBe('The strategy "brokered" needs you: a[2Jbcd\n  enter  X\n');
  });

  it('is printed nowhere else', async () => {
    atTerminal(false);
    expect(await printed(action)).toBe('');
  });

  it('is told of no one once the sign-in is over', async () => {
    const told: unknown[] = [];
    let late = () => {};
    const strategy: Partial<AuthStrategy> = {
      signIn: ({ prompt }) => {
        late = () => prompt(action);
        return new Promise(() => {});
      },
    };
    const auth = open('http://127.0.0.1:1', 'http://127.0.0.1:1', { strategy });
    auth.on('actionRequired', (event) => told.push(event));
    const failure = failureOf(auth.http.get('/api/me'));
    await new Promise(setImmediate);
    await auth.close();
    await failure;
    late();
    expect(told).toEqual([]);
  });
});
