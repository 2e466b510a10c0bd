import 'reflect-metadata';
import { createQelosAuth, type QelosAuth } from '../../../src';

const URL_OF_NOBODY = 'http://127.0.0.1:9';
const user = { _id: '1', username: 'ada' };

/** Asks by each way in, and says who answered: what is mocked below must be all that a test needs. */
async function ask(auth: QelosAuth): Promise<string[]> {
  const byAxios = (await auth.http.get('/api/me')).data;
  const byFetch = (await (await auth.fetch('/api/me')).json()) as typeof user;
  const bySdk = (await auth.signIn()).user;
  return [byAxios.username, byFetch.username, String(bySdk.username)];
}

/** Each patches Node's own http for the whole process, so they are imported only here. */
const MOCKS: Record<string, () => Promise<unknown[]>> = {
  async msw() {
    const { HttpResponse, http: mocked } = await import('msw');
    const { setupServer } = await import('msw/node');
    const keys = new Set<string | null>();
    const server = setupServer(
      mocked.get(`${URL_OF_NOBODY}/api/me`, ({ request }) => {
        keys.add(request.headers.get('x-api-key'));
        return HttpResponse.json(user);
      }),
    );
    server.listen({ onUnhandledRequest: 'error' });
    const users = await ask(createQelosAuth({ config: { url: URL_OF_NOBODY, apiToken: 'ql_test' } }));
    server.close();
    return [...users, ...keys];
  },
  async nock() {
    const { default: nock } = await import('nock');
    const keys = new Set<string>();
    nock(URL_OF_NOBODY)
      .get('/api/me')
      .times(3)
      .reply(200, function () {
        keys.add(String(this.req.headers['x-api-key']));
        return user;
      });
    return [...(await ask(createQelosAuth({ config: { url: URL_OF_NOBODY, apiToken: 'ql_test' } }))), ...keys];
  },
};

/** Prints who answered, and which keys the mock named in the only argument saw. */
async function main(): Promise<void> {
  const mock = MOCKS[JSON.parse(process.argv[2] as string)];
  console.log(JSON.stringify(await mock?.()));
}

main();
