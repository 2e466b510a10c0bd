import { createServer } from 'node:net';
import { type QelosServer, startQelosServer } from 'qelos-auth/testing';

/** Environment variables, as the plugin would find them in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The Qelos that the demo talks to. */
export interface Instance {
  readonly url: string;
  /** There for an embedded one: a demo must not turn the screws of a real one. */
  readonly server?: QelosServer;
  /** An environment with an API token in it and no password; undefined if there is no token. */
  readonly withToken?: Environment;
  /** An environment with a user name and password and no token; undefined if there is none. */
  readonly withPassword?: Environment;
  /** Key of a blueprint whose entities may be listed and created; undefined if none was named. */
  readonly blueprint?: string;
  close(): Promise<void>;
}

/** The instance that `QELOS_URL` names, or an embedded one if nothing does. */
export async function openInstance(env: Environment = process.env): Promise<Instance> {
  const url = env['QELOS_URL'] || env['QELOS_APP_URL'];
  return !url ? embedded() : real(url, env);
}

async function embedded(): Promise<Instance> {
  const server = await startQelosServer();
  const { url } = server;
  const plain = server.users.find(({ roles }) => !roles.includes('admin'));
  if (plain === undefined) throw new Error('the embedded server has no plain user');
  const { username, password } = plain;
  return {
    url,
    server,
    withToken: { QELOS_URL: url, QELOS_API_TOKEN: server.issueApiToken({ username }) },
    withPassword: { QELOS_URL: url, QELOS_USERNAME: username, QELOS_PASSWORD: password },
    blueprint: 'book',
    close: () => server.close(),
  };
}

function real(url: string, env: Environment): Instance {
  const pick = (...names: string[]): Environment | undefined => {
    if (names.every((name) => env[name] === undefined)) return undefined;
    return Object.fromEntries([
      ['QELOS_URL', url],
      ...[...names, 'QELOS_WORKSPACE'].filter((name) => env[name] !== undefined).map((name) => [name, env[name]]),
    ]);
  };
  const withToken = pick('QELOS_API_TOKEN', 'QELOS_API_TOKEN_FILE');
  const withPassword = pick('QELOS_USERNAME', 'QELOS_PASSWORD');
  const blueprint = env['QELOS_DEMO_BLUEPRINT'];
  return {
    url,
    ...(withToken && { withToken }),
    ...(withPassword && { withPassword }),
    ...(blueprint && { blueprint }),
    close: async () => {},
  };
}

/** A loopback address at which nobody listens. */
export async function deadUrl(): Promise<string> {
  const probe = createServer();
  const port = await new Promise<number>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => resolve((probe.address() as { port: number }).port));
  });
  await new Promise((resolve) => probe.close(resolve));
  return `http://127.0.0.1:${port}`;
}
