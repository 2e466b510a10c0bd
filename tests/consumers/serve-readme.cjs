// An embedded Qelos with a book in it, for as long as this process lives. Prints the .env file that leads to it.
const { createQelosAuth } = require('qelos-auth');
const { startQelosServer } = require('qelos-auth/testing');

startQelosServer().then(async (server) => {
  const apiToken = server.issueApiToken();
  const auth = createQelosAuth({ config: { url: server.url, apiToken }, env: {} });
  await auth.sdk.blueprints.entitiesOf('book').create({ metadata: { title: 'Dune' } });
  process.stdout.write(`QELOS_URL=${server.url}\nQELOS_API_TOKEN=${apiToken}\n`);
});
