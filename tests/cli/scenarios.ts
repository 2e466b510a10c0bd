import { createServer, get } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type QelosServer, type QelosServerOptions, type QelosServerUser, startQelosServer } from '../../src/testing';
import { listen } from '../support/backend';
import { selfSigned } from '../support/certificate';
import { whenDone } from '../support/when-done';
import { type Place, placeWith, type Typed } from './command';

/** How a transcript of docs/cli.md comes about. */
export interface Scenario {
  readonly place: Place;
  /** Address that the transcript shows as `http://127.0.0.1:3000`. */
  readonly url: string;
  /** Host and port that the transcript shows instead. */
  readonly shown?: string;
  readonly code: 0 | 1 | 2;
  /** Runs in a pseudo-terminal, where this is typed. */
  readonly typed?: readonly Typed[];
  /** Secrets that no output may show. */
  readonly secrets?: readonly string[];
}

const WORKSPACE = '65f0c0ffee65f0c0ffee65f1';
const ENTER = '\r';
const NOWHERE = 'http://127.0.0.1:64999';

async function start(options: QelosServerOptions = {}): Promise<{ server: QelosServer; plain: QelosServerUser }> {
  const server = await startQelosServer({
    users: [
      { username: 'admin', password: 'pw-of-the-admin', roles: ['admin'] },
      {
        username: 'books-plugin',
        password: 'correct-horse-7',
        roles: ['user'],
        workspaces: [{ _id: WORKSPACE, name: 'Library' }],
      },
    ],
    ...options,
  });
  whenDone(() => server.close());
  return { server, plain: server.users[1] as QelosServerUser };
}

const dotenv = (settings: Record<string, string>): Record<string, string> => ({
  '.env': Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join(''),
});

const withToken = (server: QelosServer, token: string, more: Record<string, string> = {}): Place =>
  placeWith({}, dotenv({ QELOS_URL: server.url, QELOS_API_TOKEN: token, ...more }));

const withPassword = (
  server: QelosServer,
  { username, password }: QelosServerUser,
  more: Record<string, string> = {},
) => placeWith({}, dotenv({ QELOS_URL: server.url, QELOS_USERNAME: username, QELOS_PASSWORD: password, ...more }));

/** A web server that is no Qelos. */
async function other(answer: Parameters<typeof createServer>[1]): Promise<string> {
  const web = createServer({}, answer as never);
  whenDone(() => {
    web.closeAllConnections();
    return new Promise((resolve) => web.close(resolve));
  });
  return `http://127.0.0.1:${await listen(web)}`;
}

/** A tokens' owner with one token in use, that `tokens list` shows. */
async function owner(more: { expiresInDays?: number; use?: boolean } = {}) {
  const { server, plain } = await start();
  const expiresAt = new Date(Date.now() + (more.expiresInDays ?? 90) * 86_400_000 + 3_600_000);
  const token = server.issueApiToken({ username: plain.username, expiresAt });
  if (more.use !== false) await fetch(`${server.url}/api/me`, { headers: { 'x-api-key': token } });
  return { server, plain, token, secrets: [plain.password, token] };
}

/** By the name of their transcript. */
export const SCENARIOS: Readonly<Record<string, () => Promise<Scenario>>> = {
  healthy: async () => {
    const { server, plain, token, secrets } = await owner();
    const { username, password } = plain;
    const place = withToken(server, token, { QELOS_USERNAME: username, QELOS_PASSWORD: password });
    return { place, url: server.url, code: 0, secrets };
  },
  'with-password': async () => {
    const { server, plain } = await start();
    return { place: withPassword(server, plain), url: server.url, code: 0, secrets: [plain.password] };
  },
  probe: async () => {
    const { server, plain } = await start();
    const token = server.issueApiToken({ username: plain.username });
    return { place: withToken(server, token), url: server.url, code: 1, secrets: [token] };
  },
  'no-settings': async () => ({ place: placeWith(), url: NOWHERE, code: 2 }),
  misspelt: async () => {
    const { server } = await start();
    const files = dotenv({ QELOS_URL: server.url, QELOS_API_KEY: 'ql_secret-of-somebody', QELOS_USERNAM: 'x' });
    return { place: placeWith({}, files), url: server.url, code: 2, secrets: ['ql_secret-of-somebody'] };
  },
  'token-refused': async () => {
    const { server, plain } = await start();
    const token = server.issueApiToken({ username: plain.username });
    server.revokeApiToken(token);
    return { place: withToken(server, token), url: server.url, code: 1, secrets: [token] };
  },
  'token-mistyped': async () => {
    const { server, plain } = await start();
    const token = server.issueApiToken({ username: plain.username }).slice(0, -3);
    return { place: withToken(server, token), url: server.url, code: 1, secrets: [token] };
  },
  'token-gone': async () => {
    const { server, plain } = await start();
    const { username, password } = plain;
    const token = server.issueApiToken({ username, expiresAt: new Date(Date.now() - 1000) });
    const place = withToken(server, token, { QELOS_USERNAME: username, QELOS_PASSWORD: password });
    return { place, url: server.url, code: 1, secrets: [token, password] };
  },
  'wrong-password': async () => {
    const { server, plain } = await start();
    const place = withPassword(server, { ...plain, password: 'battery-staple' });
    return { place, url: server.url, code: 1, secrets: ['battery-staple'] };
  },
  'wrong-workspace': async () => {
    const { server, plain } = await start();
    const token = server.issueApiToken({ username: plain.username });
    const place = withToken(server, token, { QELOS_WORKSPACE: '65f0c0ffee65f0c0ffee65f9' });
    return { place, url: server.url, code: 1, secrets: [token] };
  },
  'wrong-path': async () => {
    const { server, plain } = await start();
    const token = server.issueApiToken({ username: plain.username });
    const place = placeWith({ QELOS_URL: `${server.url}/api`, QELOS_API_TOKEN: token });
    return { place, url: server.url, code: 1, secrets: [token] };
  },
  'unknown-host': async () => {
    const { server } = await start();
    // What stands in front of the gateway passes on a name that no tenant has.
    const url = await other(({ url: path }, response) => {
      get(`${server.url}${path}`, { headers: { host: 'nobody.example' } }, (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(response);
      });
    });
    return { place: placeWith({ QELOS_URL: url, QELOS_API_TOKEN: TOKEN }), url, code: 1, secrets: [TOKEN] };
  },
  'plain-http': async () => {
    const local = await other((request, response) => {
      response.writeHead(301, { location: `https://${request.headers.host}${request.url}` }).end();
    });
    // An address of this machine that does not look like one.
    const url = `http://[::ffff:7f00:1]:${new URL(local).port}`;
    const place = placeWith({ QELOS_URL: url, QELOS_API_TOKEN: TOKEN });
    return { place, url, shown: '203.0.113.7:3000', code: 2, secrets: [TOKEN] };
  },
  'wants-https': async () => {
    const url = await other((request, response) => {
      response.writeHead(301, { location: `https://${request.headers.host}${request.url}` }).end();
    });
    return { place: placeWith({ QELOS_URL: url, QELOS_API_TOKEN: TOKEN }), url, code: 1, secrets: [TOKEN] };
  },
  'moved-away': async () => {
    const url = await other((_request, response) => {
      response.writeHead(302, { location: 'https://login.corp.example/?next=%2F' }).end();
    });
    return { place: placeWith({ QELOS_URL: url, QELOS_API_TOKEN: TOKEN }), url, code: 1, secrets: [TOKEN] };
  },
  'server-down': async () => {
    const { server } = await start();
    await server.close();
    const place = placeWith({ QELOS_URL: server.url, QELOS_API_TOKEN: TOKEN });
    return { place, url: server.url, code: 1, secrets: [TOKEN] };
  },
  hangs: async () => {
    const { server } = await start();
    server.fail('/api/me', 'hang');
    const place = placeWith({ QELOS_URL: server.url, QELOS_API_TOKEN: TOKEN });
    return { place, url: server.url, code: 1, secrets: [TOKEN] };
  },
  slow: async () => {
    const { server, plain } = await start({ latencyMs: 2100 });
    const token = server.issueApiToken({ username: plain.username });
    return { place: withToken(server, token), url: server.url, code: 0, secrets: [token] };
  },
  'in-between': async () => {
    const url = await other((_request, response) => {
      response.writeHead(403, { 'content-type': 'text/html', server: 'gatekeeper', via: '1.1 proxy.corp.example' });
      response.end('<h1>Access denied</h1>');
    });
    return { place: placeWith({ QELOS_URL: url, QELOS_API_TOKEN: TOKEN }), url, code: 1, secrets: [TOKEN] };
  },
  'proxy-log-in': async () => {
    const url = await other((_request, response) => {
      response.writeHead(407, { 'proxy-authenticate': 'Basic realm="corp"' }).end();
    });
    return { place: placeWith({ QELOS_URL: url, QELOS_API_TOKEN: TOKEN }), url, code: 1, secrets: [TOKEN] };
  },
  'auth-service-down': async () => {
    const { server, plain } = await start();
    const token = server.issueApiToken({ username: plain.username });
    server.stopAuthService();
    return { place: withToken(server, token), url: server.url, code: 1, secrets: [token] };
  },
  'all-down': async () => {
    const url = await other((_request, response) => {
      response.writeHead(502, { 'content-type': 'text/html', server: 'nginx' }).end('<h1>Bad Gateway</h1>');
    });
    return { place: placeWith({ QELOS_URL: url, QELOS_API_TOKEN: TOKEN }), url, code: 1, secrets: [TOKEN] };
  },
  certificate: async () => {
    const url = await secure();
    return {
      place: placeWith({ QELOS_URL: url.url, QELOS_API_TOKEN: TOKEN }),
      url: url.url,
      code: 1,
      secrets: [TOKEN],
    };
  },
  'certificate-known': async () => {
    const { url, cert } = await secure();
    const place = placeWith(
      { QELOS_URL: url, QELOS_API_TOKEN: TOKEN, NODE_EXTRA_CA_CERTS: 'ca.pem' },
      { 'ca.pem': cert },
    );
    return { place, url, code: 1, secrets: [TOKEN] };
  },
  whoami: async () => {
    const { server, plain } = await start();
    const token = server.issueApiToken({ username: plain.username, workspace: WORKSPACE });
    return { place: withToken(server, token), url: server.url, code: 0, secrets: [token] };
  },
  list: async () => {
    const { server, plain, secrets } = await owner();
    server.issueApiToken({ username: plain.username, expiresAt: new Date(Date.now() + 12.5 * 86_400_000) });
    return { place: withPassword(server, plain), url: server.url, code: 0, secrets };
  },
  create: async () => {
    const { server, plain } = await start();
    return { place: withPassword(server, plain), url: server.url, code: 0, secrets: [plain.password] };
  },
  'create-prompt': async () => {
    const { server, plain } = await start();
    const place = placeWith({ NO_COLOR: '1' }, dotenv({ QELOS_URL: server.url }));
    const typed: Typed[] = [
      ['Qelos user name', `${plain.username}${ENTER}`],
      [`Password of ${plain.username}`, `${plain.password}${ENTER}`],
    ];
    return { place, url: server.url, code: 0, typed, secrets: [plain.password] };
  },
  'no-password': async () => {
    const { server } = await start();
    return { place: placeWith({ QELOS_URL: server.url }), url: server.url, code: 2 };
  },
  rotate: async () => {
    const { server, plain, token, secrets } = await owner();
    const { username, password } = plain;
    const place = withToken(server, token, { QELOS_USERNAME: username, QELOS_PASSWORD: password });
    return { place, url: server.url, code: 0, secrets };
  },
  'rotate-revoke': async () => {
    const { server, plain, token, secrets } = await owner();
    const { username, password } = plain;
    const place = withToken(server, token, { QELOS_USERNAME: username, QELOS_PASSWORD: password });
    return { place, url: server.url, code: 0, secrets };
  },
  full: async () => {
    const { server, plain } = await start();
    const { username, password } = plain;
    const [token = ''] = Array.from({ length: 10 }, () => server.issueApiToken({ username }));
    const place = withToken(server, token, { QELOS_USERNAME: username, QELOS_PASSWORD: password });
    return { place, url: server.url, code: 1, secrets: [password, token] };
  },
  revoke: async () => {
    const { server, plain, secrets } = await owner();
    const place = withPassword(server, plain);
    const typed: Typed[] = [['Revoke the token', `y`]];
    return { place: { ...place, env: { ...place.env, NO_COLOR: '1' } }, url: server.url, code: 0, typed, secrets };
  },
  migrate: async () => {
    const { server, plain } = await start();
    return { place: withPassword(server, plain), url: server.url, code: 0, secrets: [plain.password] };
  },
  'secret-argument': async () => ({ place: placeWith(), url: NOWHERE, code: 2, secrets: ['correct-horse-7'] }),
};

const TOKEN = `ql_${'5'.repeat(64)}`;

/** Answers as Qelos does to whoever has no credential, over TLS with a certificate of its own. */
async function secure(): Promise<{ url: string; cert: string }> {
  const { key, cert } = await selfSigned();
  const server = createTlsServer({ key, cert }, (request, response) => {
    const said = request.headers['x-api-key']
      ? 'Invalid or expired API token'
      : 'you are not authorized. must be logged in.';
    response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ message: said }));
  });
  whenDone(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `https://127.0.0.1:${await listen(server)}`, cert };
}
