import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type QelosServer, type QelosServerUser, startQelosServer } from 'qelos-auth/testing';
import { Report, type Tally } from '../plugin/report';
import { type Plugin, startPlugin } from './plugin';
import { CallingQelos, freePort } from './qelos';

const AT_ONCE = 50;
const BOOKS = '/api/blueprints/book/entities';
const TENANT = 'tenant-1';

interface Stage {
  readonly report: Report;
  /** Begins a part of the demo, which is charged with what the plugin costs from then on. */
  section(title: string): Tally;
  /** The plugin's own instance. */
  readonly home: QelosServer;
  /** An instance of somebody else, where the plugin is installed too. */
  readonly tenant: QelosServer;
  readonly qelos: CallingQelos;
}

/** Starts the plugin against embedded servers, and has it called as a Qelos calls it. Returns whether all went well. */
export async function demonstrate(): Promise<boolean> {
  const report = new Report();
  console.log('qelos-auth: a plugin on @qelos/plugin-play at work\n');
  const home = await startQelosServer();
  const tenant = await startQelosServer();
  keepTenant(home, tenant);
  const { username, password } = plainUserOf(home);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const accessTokenSecret = randomUUID();
  const plugin = await startPlugin(
    {
      manifest: { appUrl: url },
      config: { dev: false, port, host: '127.0.0.1', accessTokenSecret, refreshTokenSecret: randomUUID() },
    },
    { QELOS_URL: home.url, QELOS_USERNAME: username, QELOS_PASSWORD: password },
  );
  const qelos = new CallingQelos(url, accessTokenSecret, TENANT);
  const section = chargedFor(plugin, report);
  try {
    for (const step of [endpointAndHook, expiryUnderLoad, notFound, tenantOfAnotherInstance, wrongPassword]) {
      await step({ report, section, home, tenant, qelos });
    }
  } finally {
    await plugin.stop();
    await home.close();
    await tenant.close();
  }
  return report.conclude();
}

function chargedFor({ auth }: Plugin, report: Report): (title: string) => Tally {
  let current: Tally | undefined;
  auth.on('signedIn', () => current && current.signIns++);
  auth.on('refreshed', () => current && current.refreshes++);
  auth.on('requestRetried', () => current && current.resent++);
  return (title) => {
    current = report.section(title);
    return current;
  };
}

function plainUserOf({ users }: QelosServer): QelosServerUser {
  const plain = users.find(({ roles }) => !roles.includes('admin'));
  if (plain === undefined) throw new Error('the embedded server has no plain user');
  return plain;
}

/** What plugin-play kept at home when the tenant registered the plugin: where it is, and a user to sign in as. */
function keepTenant(home: QelosServer, tenant: QelosServer): void {
  const { username, password } = plainUserOf(tenant);
  home.fail(`/api/users/${TENANT}/encrypted`, { status: 200, body: { appUrl: tenant.url, username, password } });
}

async function endpointAndHook({ report, section, home, qelos }: Stage): Promise<void> {
  const tally = section('An endpoint and a hook');
  const manifest = (await qelos.get('/api/play-manifest')).data as { subscribedEvents: { hookUrl: string }[] };
  const hook = new URL(manifest.subscribedEvents[0]?.hookUrl ?? '').pathname;
  const added = await tally.call(() => qelos.post(hook, { user: { username: 'ada' } }));
  const listed = await tally.call(() => qelos.get('/api/play/books'));
  const titles = (listed.data as { metadata: { title: string } }[]).map(({ metadata }) => metadata.title);
  report.line('hook', `POST ${hook} was answered with ${added.status}`);
  report.line('endpoint', `GET /api/play/books was answered with ${listed.status}: ${titles.join(', ')}`);
  report.line('home saw', `${home.requests.count({ path: '/api/signin' })} sign-in, of qelos-auth`);
  report.check('answers', [added.status, listed.status].join(), '200,200');
  report.check('titles', titles.join(), 'A first book for ada');
  report.check('sign-ins', home.requests.count({ path: '/api/signin' }), 1);
}

async function expiryUnderLoad({ report, section, home, qelos }: Stage): Promise<void> {
  const tally = section(`Expiry under ${AT_ONCE} calls at once`);
  home.expireAccessTokens();
  home.requests.reset();
  const calls = Array.from({ length: AT_ONCE }, () => tally.call(() => qelos.get('/api/play/books')));
  const good = (await Promise.all(calls)).filter(({ status }) => status === 200).length;
  const refreshes = home.requests.count({ path: '/api/token/refresh' });
  const signIns = home.requests.count({ path: '/api/signin' });
  report.line('Qelos saw', `${good} of ${AT_ONCE} calls of the endpoint succeed`);
  report.line('home saw', `${refreshes} refresh, ${signIns} sign-ins`);
  report.check('calls that succeeded', good, AT_ONCE);
  report.check('refreshes', refreshes, 1);
  report.check('sign-ins', signIns, 0);
}

async function notFound({ report, section, home, qelos }: Stage): Promise<void> {
  const tally = section('A book that is not there');
  home.requests.reset();
  const { status } = await tally.call(() => qelos.get('/api/play/books/none'));
  const sent = home.requests.count({ path: `${BOOKS}/none` });
  report.line('endpoint', `answered with ${status}, as the error of the SDK has its status`);
  report.line('home saw', `${home.requests.count()} request: no refresh, and the call was not sent again`);
  report.check('status', status, 404);
  report.check('requests sent for it', sent, 1);
  report.check('requests in all', home.requests.count(), 1);
}

async function tenantOfAnotherInstance({ report, section, tenant, qelos }: Stage): Promise<void> {
  const tally = section('A tenant of another instance');
  const first = await tally.call(() => qelos.get('/api/play/tenant/books'));
  const signIns = tenant.requests.count({ path: '/api/signin' });
  const refused = tenant.requests.count({ status: 401 });
  report.line('endpoint', `answered with ${first.status}, through getSdkForTenant()`);
  report.line('tenant saw', `${signIns} sign-in, of the user it registered with, and ${refused} refused calls`);
  report.check('status', first.status, 200);
  report.check('sign-ins at the tenant', signIns, 1);
  report.check('refused calls at the tenant', refused, 0);
}

/** The plugin once more, in a process of its own, as plugin-play ends it. */
async function wrongPassword({ report, section, home }: Stage): Promise<void> {
  const tally = section('Wrong password');
  tally.why = 'the password is wrong';
  home.requests.reset();
  const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'main.ts')], {
    env: {
      PATH: process.env['PATH'],
      NODE_ENV: 'production',
      APP_URL: 'http://127.0.0.1',
      PORT: String(await freePort()),
      QELOS_URL: home.url,
      QELOS_USERNAME: plainUserOf(home).username,
      QELOS_PASSWORD: randomUUID(),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 60_000,
  });
  let said = '';
  child.stderr.on('data', (data) => {
    said += data;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  report.line('plugin', `ended with exit code ${code}, and said`);
  report.line(
    '',
    said
      .replace(/^.*?\[ERR/s, '[ERR')
      .replace(/\(Use `node.*/s, '')
      .trim(),
  );
  report.line('home saw', `${home.requests.count()} sign-in`);
  report.check('exit code', code, 1);
  report.check('reason given', said.includes('[ERR_AUTH_REFUSED]'), true);
  report.check('requests', home.requests.count(), 1);
}
