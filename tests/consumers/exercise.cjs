// What a consumer does with the package, whichever way it was loaded.
const assert = require('node:assert/strict');

/** Starts the embedded server and makes authenticated calls by each of the three ways in. */
module.exports = async function exercise({ library, testing, container }) {
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
  } finally {
    await server.close();
  }
};
