import { randomUUID } from 'node:crypto';
import { apiRefusal, isAuthError, QelosAuth, registerQelosAuth } from 'qelos-auth';
import { container, type DependencyContainer } from 'tsyringe';
import { BOOK_BLUEPRINT, Books } from '../../template/src/books.ts';
import { deadUrl, type Environment, type Instance } from './instance';
import type { Report, Tally } from './report';
import { BookCatalogue, Staff } from './services';

const AT_ONCE = 50;
const ONLY_EMBEDDED = 'needs control of the server: run the demo without QELOS_URL to see it.';

/** A plugin that has started: its container, and what it costs. */
interface Plugin {
  readonly container: DependencyContainer;
  readonly auth: QelosAuth;
}

/** What a plugin does at start-up: a container, qelos-auth in it, and then its services come out of it. */
function startPlugin(env: Environment, { blueprint = 'book' }: Instance, tally: Tally): Plugin {
  const own = container.createChildContainer();
  registerQelosAuth(own, { env });
  own.register(BOOK_BLUEPRINT, { useValue: blueprint });
  const auth = own.resolve(QelosAuth);
  tally.watch(auth);
  return { container: own, auth };
}

/** Signs in, then lists and creates through axios and through the SDK. */
async function work(
  report: Report,
  tally: Tally,
  env: Environment,
  instance: Instance,
  strategy: string,
): Promise<void> {
  const plugin = startPlugin(env, instance, tally);
  const { auth } = plugin;
  const { user, expiresAt } = await auth.signIn();
  const skipped = auth.strategy.skipped.map(({ name, missing }) => `${name} lacks ${missing.join(' and ')}`).join('; ');
  report.line('strategy', `${auth.strategy.name}${skipped && ` (${skipped})`}`);
  report.check('strategy in use', auth.strategy.name, strategy);
  const end = expiresAt ? `, until ${expiresAt.toISOString()} unless refreshed` : ', until the token is refused';
  report.line('signed in', `as ${user.username}${end}`);

  if (instance.blueprint === undefined) {
    report.line(
      'books',
      'not listed: set QELOS_DEMO_BLUEPRINT to the key of a blueprint with a text property "title".',
    );
  } else {
    await useBooks(report, tally, plugin);
  }
  report.check('sign-ins', tally.signIns, 1);
  report.check('refreshes', tally.refreshes, 0);
  report.check('failed calls', tally.failed, 0);
  await plugin.container.dispose();
}

async function useBooks(report: Report, tally: Tally, plugin: Plugin): Promise<void> {
  const shelf = plugin.container.resolve(Books);
  const catalogue = plugin.container.resolve(BookCatalogue);
  const before = (await tally.call(() => shelf.list())).length;
  const dune = await tally.call(() => shelf.add('Dune'));
  const byAxios = await tally.call(() => shelf.list());
  report.line('by axios', `listed ${before}, created "${dune.metadata.title}", listed ${byAxios.length}`);
  const emma = await tally.call(() => catalogue.add('Emma'));
  const bySdk = await tally.call(() => catalogue.list());
  report.line('by the SDK', `created "${emma.metadata.title}", listed ${bySdk.length}`);
  report.check('books listed through axios', byAxios.length, before + 1);
  report.check('books listed through the SDK', bySdk.length, before + 2);
  for (const { identifier } of [dune, emma]) await tally.call(() => catalogue.remove(identifier));
  report.check('books after clearing up', (await tally.call(() => shelf.list())).length, before);
}

export async function withApiToken(report: Report, instance: Instance): Promise<void> {
  const tally = report.section('API token');
  if (!instance.withToken) return report.skip('QELOS_API_TOKEN is not set.');
  const { server } = instance;
  server?.requests.reset();
  await work(report, tally, instance.withToken, instance, 'api-token');
  if (!server) return;
  report.check('requests to POST /api/signin', server.requests.count({ method: 'POST', path: '/api/signin' }), 0);
  report.check('requests to GET /api/me', server.requests.count({ path: '/api/me' }), 1);
  report.line('cost', '1 look at GET /api/me to check the token; nothing else, ever');
}

export async function withPassword(report: Report, instance: Instance): Promise<void> {
  const tally = report.section('User name and password');
  if (!instance.withPassword) return report.skip('QELOS_USERNAME and QELOS_PASSWORD are not set.');
  const { server } = instance;
  server?.requests.reset();
  await work(report, tally, instance.withPassword, instance, 'oauth-refresh');
  if (!server) return;
  report.check('requests to POST /api/signin', server.requests.count({ method: 'POST', path: '/api/signin' }), 1);
  report.line('cost', '1 POST /api/signin; the session is refreshed from then on');
}

export async function expiryUnderLoad(report: Report, instance: Instance): Promise<void> {
  const tally = report.section(`Expiry under ${AT_ONCE} calls at once`);
  const { server, withPassword: env } = instance;
  if (!server || !env) return report.skip(ONLY_EMBEDDED);
  const plugin = startPlugin(env, instance, tally);
  const shelf = plugin.container.resolve(Books);
  const catalogue = plugin.container.resolve(BookCatalogue);
  await plugin.auth.signIn();
  report.check('sign-ins at the start', tally.signIns, 1);
  server.expireAccessTokens();
  server.requests.reset();

  const calls = Array.from({ length: AT_ONCE }, (_, i) => {
    if (i % 5 === 0) return tally.call(() => shelf.add(`Volume ${i}`));
    return tally.call(() => (i % 2 ? shelf.list() : catalogue.list()));
  });
  const good = (await Promise.allSettled(calls)).filter(({ status }) => status === 'fulfilled').length;
  // Where an answer can't tell, one question for all of them shows whether the session is still good.
  const asked = server.requests.count({ path: '/api/me', status: 401 });
  const refused = server.requests.count({ status: 401 }) - asked;
  const signIns = server.requests.count({ path: '/api/signin' });
  const refreshes = server.requests.count({ path: '/api/token/refresh' });
  const created = (await shelf.list()).length;
  report.line('before', `signed in once, then the server stopped accepting the access token`);
  report.line(
    'server saw',
    `${refused} requests refused, ${asked} question whose session it is, ${refreshes} refresh, ${signIns} sign-ins`,
  );
  report.line('plugin saw', `${good} of ${AT_ONCE} calls succeed, ${tally.failed} fail`);
  report.line('books', `${created} created by ${AT_ONCE / 5} calls: a call sent again does its work once`);
  report.check('calls that succeeded', good, AT_ONCE);
  report.check('refreshes', refreshes, 1);
  report.check('sign-ins', signIns, 0);
  report.check('refreshes by event', tally.refreshes, 1);
  report.check('calls sent again', tally.resent, refused);
  report.check('books created', created, AT_ONCE / 5);
  await plugin.container.dispose();
}

export async function revokedToken(report: Report, instance: Instance): Promise<void> {
  const tally = report.section('Revoked API token');
  const { server, withToken: env } = instance;
  if (!server || !env) return report.skip(ONLY_EMBEDDED);
  const plugin = startPlugin(env, instance, tally);
  await plugin.auth.signIn();
  server.revokeApiToken(env['QELOS_API_TOKEN'] ?? '');
  server.requests.reset();

  const error = await tally.failure(() => plugin.auth.http.get('/api/me'));
  tally.why = 'the token was revoked';
  report.error(error);
  report.check('authCode', apiRefusal(error)?.authCode, 'ERR_AUTH_TOKEN_REFUSED');
  report.check('requests sent for it', server.requests.count(), 1);
  report.line('cost', 'sent once: a refused token has no successor');
  await plugin.container.dispose();

  const restarted = startPlugin(env, instance, tally);
  const atStart = await tally.failure(() => restarted.auth.signIn());
  report.line('at start-up', isAuthError(atStart) ? `${atStart.code}: ${atStart.message}` : 'it signs in');
  report.check('code at start-up', isAuthError(atStart) && atStart.code, 'ERR_AUTH_TOKEN_REFUSED');
  await restarted.container.dispose();
}

export async function wrongPassword(report: Report, instance: Instance): Promise<void> {
  const tally = report.section('Wrong password');
  const { url, server } = instance;
  // A made-up user spares the accounts of a real instance; Qelos answers both alike.
  const QELOS_USERNAME = (server && instance.withPassword?.['QELOS_USERNAME']) ?? `nobody-${randomUUID()}`;
  const plugin = startPlugin({ QELOS_URL: url, QELOS_USERNAME, QELOS_PASSWORD: randomUUID() }, instance, tally);
  server?.requests.reset();

  const error = await tally.failure(() => plugin.auth.signIn());
  report.error(error);
  const shelf = plugin.container.resolve(Books);
  const later = await Promise.all(Array.from({ length: AT_ONCE }, () => tally.failure(() => shelf.list())));
  const same = later.filter((reason) => isAuthError(reason) && reason.code === 'ERR_AUTH_REFUSED').length;
  tally.why = 'the password is wrong';
  report.check('code', isAuthError(error) && error.code, 'ERR_AUTH_REFUSED');
  report.check('later calls with the same reason', same, AT_ONCE);
  report.line('and then', `${same} more calls got the same reason at once: the refusal is remembered for 30 s`);
  if (server) {
    const tries = server.requests.count();
    report.check('requests that reached the server', tries, 1);
    report.line('server saw', `${tries} sign-in, so that nobody locks an account`);
  }
  await plugin.container.dispose();
}

export async function missingRole(report: Report, instance: Instance): Promise<void> {
  const tally = report.section('Missing role');
  const { server } = instance;
  const env = server ? instance.withPassword : (instance.withPassword ?? instance.withToken);
  if (!env) return report.skip('there is nothing to sign in with.');
  const plugin = startPlugin(env, instance, tally);
  await plugin.auth.signIn();
  server?.requests.reset();

  const staff = plugin.container.resolve(Staff);
  const error = await tally.failure(() => staff.usernames());
  if (error === undefined && !server) {
    report.skip('this user may list users; nothing is missing.');
  } else {
    tally.why = 'the user is no administrator';
    report.line('call', 'GET /api/users');
    report.error(error);
    report.check('authCode', apiRefusal(error)?.authCode, 'ERR_AUTH_FORBIDDEN');
    report.check('calls sent again', tally.resent, 0);
    report.check('refreshes', tally.refreshes, 0);
    if (server) report.check('requests sent for it', server.requests.count(), 1);
    report.line('cost', 'sent once, no refresh: a new session would have no other roles');
  }
  await plugin.container.dispose();
}

export async function wrongUrl(report: Report, instance: Instance): Promise<void> {
  const tally = report.section('Wrong URL');
  const url = await deadUrl();
  const plugin = startPlugin({ QELOS_URL: url, QELOS_API_TOKEN: 'ql_demo' }, instance, tally);
  const error = await tally.failure(() => plugin.auth.signIn());
  tally.why = 'nobody listens there';
  report.line('QELOS_URL', `${url}, where nobody listens`);
  report.error(error);
  report.check('code', isAuthError(error) && error.code, 'ERR_AUTH_UNAVAILABLE');
  report.check('retryable', isAuthError(error) && error.retryable, true);
  await plugin.container.dispose();
}
