// What a consumer does with the package, whichever way it was loaded.
const assert = require('node:assert/strict');

/**
 * Starts the embedded server and makes authenticated calls by each of the three ways in.
 *
 * @param axios - as the consumer loads it; the one that the library has to use
 * @param foreign - the one that makes an instance to be attached
 */
module.exports = async function exercise({ library, testing, container, axios, foreign = axios }) {
  const { createQelosAuth, isAuthError, registerQelosAuth, QELOS_HTTP, QELOS_SDK } = library;
  const server = await testing.startQelosServer();
  try {
    const [{ username, password }] = server.users;
    const config = { url: server.url, apiToken: server.issueApiToken({ username }) };

    const child = container.createChildContainer();
    registerQelosAuth(child, { config, env: {} });
    const { data } = await child.resolve(QELOS_HTTP).get('/api/me');
    assert.equal(data.username, username);
    assert.equal((await child.resolve(QELOS_SDK).authentication.getLoggedInUser()).username, username);

    const auth = createQelosAuth({ config: { url: server.url, username, password }, env: {} });
    assert.equal((await auth.signIn()).user.username, username);
    assert.equal((await auth.http.get('/api/me')).data.username, username);
    assert.equal((await auth.sdk.authentication.getLoggedInUser()).username, username);
    await auth.close();

    const refused = createQelosAuth({ config: { url: server.url, apiToken: 'ql_unknown' }, env: {} });
    await assert.rejects(refused.signIn(), (error) => isAuthError(error) && error instanceof library.AuthError);
    await refused.close();

    await meetsAxiosOfTheConsumer({ library, testing, server, axios, foreign });
  } finally {
    await server.close();
  }
};

/** An ES module loads another axios than a CommonJS module: `instanceof` and `axios.defaults` are about the consumer's. */
async function meetsAxiosOfTheConsumer({ library, testing, server, axios, foreign }) {
  const { createQelosAuth, Credential } = library;
  const [{ username }] = server.users;
  const token = server.issueApiToken({ username });
  const config = { url: server.url, apiToken: token };
  const failures = {};
  server.fail('/api/blocks', { status: 409, body: {} }, 5);
  const failureOf = (name, call) =>
    call.then(
      () => assert.fail(`${name} did not fail`),
      (error) => {
        failures[name] = error;
      },
    );

  const strategies = [
    {
      name: 'own',
      missing: () => [],
      async signIn({ http }) {
        await failureOf('context.http', http.get('/api/blocks'));
        return Credential.apiKey(token);
      },
    },
  ];
  axios.defaults.timeoutErrorMessage = 'too slow';
  const auth = createQelosAuth({ config, env: {}, strategies });
  delete axios.defaults.timeoutErrorMessage;
  assert.equal(auth.http.defaults.timeoutErrorMessage, 'too slow', 'axios.defaults did not arrive');

  const attached = foreign.create({ baseURL: server.url });
  auth.attach(attached);
  server.fail('/api/hangs', 'hang', 2);
  for (const [name, http] of Object.entries({ 'auth.http': auth.http, attached })) {
    await failureOf(`${name}: status`, http.get('/api/blocks'));
    await failureOf(`${name}: skipAuth`, http.get('/api/me', { skipAuth: true }));
    await failureOf(`${name}: stream`, http.get('/api/blocks', { responseType: 'stream', timeout: 60_000 }));
    await failureOf(`${name}: time-out`, http.get('/api/hangs', { timeout: 50 }));
    await failureOf(`${name}: cancelled`, http.get('/api/me', { signal: AbortSignal.abort() }));
  }
  server.fail('/api/me', { status: 500, body: {} }, 1);
  await failureOf('auth.sdk', auth.sdk.authentication.getLoggedInUser());
  await failureOf('no connection', auth.http.get('http://127.0.0.1:1/'));
  await auth.close();

  const mocked = testing.mockQelosAuth();
  await failureOf('mockQelosAuth()', mocked.http.get('/api/me', { timeout: 50, signal: AbortSignal.abort() }));
  await mocked.close();

  for (const [name, error] of Object.entries(failures)) {
    const { AxiosError } = name.startsWith('attached') ? foreign : axios;
    assert.ok(
      error instanceof AxiosError,
      `${name}: not an AxiosError of the axios that the consumer has, but ${error}`,
    );
  }
}
