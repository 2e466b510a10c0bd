/**
 * The server of the measurements, in a process of its own: the few routes that clients need, answered as Qelos answers them
 * (single-use refresh tokens, 401 without body for a spent one, whole seconds in `iat` and `exp`) and as cheaply as Node can.
 * The embedded server of `qelos-auth/testing` does more for each request than most clients, and would be what is measured.
 *
 * `startServer` is for the measuring process; the rest is what runs in the other one.
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

/** Of one account; nothing secret, as there is no other server that knows it. */
export const ACCOUNT = { username: 'ada', password: 'lovelace', apiToken: `ql_${'a'.repeat(64)}` };
export const LARGE_BYTES = 10_000_000;
/** About 200 bytes, as most answers of an API are small. */
export const ME = {
  ...{ _id: '65f0c0ffee0000000000ada0', tenant: '0', username: 'ada', email: 'ada@qelos.test', name: 'Ada Lovelace' },
  ...{ firstName: 'Ada', lastName: 'Lovelace', fullName: 'Ada Lovelace', roles: ['admin'], metadata: {} },
};

/**
 * Starts a server.
 *
 * @param {{ accessSeconds?: number }} [options] life of an access token, in whole seconds; five hours if left out
 */
export async function startServer({ accessSeconds = 18_000 } = {}) {
  const child = fork(fileURLToPath(import.meta.url), [String(accessSeconds)], { execArgv: [] });
  const [{ url }] = await once(child, 'message');
  const ask = async (what) => {
    child.send(what);
    const [answer] = await once(child, 'message');
    return answer;
  };
  return {
    url,
    /** No access token handed out until now is accepted any more. */
    expire: () => ask('expire'),
    /** What was asked for since the last time: refreshes and sign-ins, good and refused, and requests. */
    counts: () => ask('counts'),
    close: () => void child.kill(),
  };
}

/** The answer to a sign-in or refresh, with texts that look like those of Qelos. */
export function newSession(accessSeconds) {
  const iat = Math.floor(Date.now() / 1_000);
  const exp = iat + accessSeconds;
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const sign = (claims) =>
    `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}.${randomBytes(32).toString('base64url')}`;
  return {
    token: sign({ sub: ME._id, username: ME.username, iat, exp }),
    refreshToken: sign({ sub: ME._id, iat }),
    exp,
  };
}

function serve(accessSeconds) {
  /** Access tokens that are good, and the milliseconds since the epoch at which each ends. */
  const access = new Map();
  const refreshable = new Set();
  const none = { requests: 0, refreshes: 0, refusedRefreshes: 0, signIns: 0 };
  let counts = { ...none };
  const me = JSON.stringify(ME);
  const large = Buffer.alloc(LARGE_BYTES, 'qelos-auth ');

  const isAuthorized = ({ authorization, 'x-api-key': key }) =>
    key === undefined ? access.get(authorization?.slice('Bearer '.length)) > Date.now() : key === ACCOUNT.apiToken;
  const session = () => {
    const issued = newSession(accessSeconds);
    access.set(issued.token, issued.exp * 1_000);
    refreshable.add(issued.refreshToken);
    return issued;
  };
  const refresh = (refreshToken) => {
    if (refreshable.delete(refreshToken)) {
      counts.refreshes++;
      return session();
    }
    counts.refusedRefreshes++;
    return undefined;
  };
  const json = (response, body, status = 200) =>
    response
      .writeHead(status, {
        'content-type': 'application/json; charset=utf-8',
        'content-length': Buffer.byteLength(body),
      })
      .end(body);
  const withBody = (request, then) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk)).on('end', () => then(body));
  };

  const routes = {
    '/api/me': (_, response) => json(response, me),
    '/api/large': (_, response) =>
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': LARGE_BYTES }).end(large),
    '/api/signin': (_, response) => {
      counts.signIns++;
      json(response, JSON.stringify({ payload: { ...session(), user: ME } }));
    },
    '/api/token/refresh': ({ headers }, response) => {
      const issued = refresh(headers.authorization?.slice('Bearer '.length));
      if (issued)
        json(response, JSON.stringify({ payload: { ...issued, user: { email: ME.email, roles: ME.roles } } }));
      else response.writeHead(401).end();
    },
    /** The same for clients that speak OAuth 2.0 (RFC 6749, section 6). */
    '/oauth/token': (request, response) =>
      withBody(request, (body) => {
        const issued = refresh(new URLSearchParams(body).get('refresh_token'));
        if (!issued) return json(response, '{"error":"invalid_grant"}', 400);
        const { token, refreshToken } = issued;
        return json(
          response,
          JSON.stringify({ access_token: token, refresh_token: refreshToken, token_type: 'Bearer' }),
        );
      }),
  };
  const open = new Set(['/api/signin', '/api/token/refresh', '/oauth/token']);

  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    counts.requests++;
    if (!open.has(request.url) && !isAuthorized(request.headers)) {
      json(response, '{"message":"authorization token is not valid."}', 401);
    } else (routes[request.url] ?? ((_, answer) => answer.writeHead(404).end()))(request, response);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 16_384 }, () =>
    process.send({ url: `http://127.0.0.1:${server.address().port}` }),
  );
  process.on('message', (what) => {
    if (what === 'expire') access.clear();
    process.send(what === 'counts' ? counts : {});
    if (what === 'counts') counts = { ...none };
  });
  process.on('disconnect', () => process.exit());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve(Number(process.argv[2]));
