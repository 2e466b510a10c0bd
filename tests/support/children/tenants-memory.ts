import type { InternalAxiosRequestConfig } from 'axios';
import { TenantAuth, type TenantConfig } from '../../../src';

/**
 * Signs many tenants in, drops the handles, and says how many bytes each keeps. The network is left out: an adapter answers as
 * Qelos does. Every text is made by decoding, as those from a network or a database are, so that none is shared.
 */
async function main(): Promise<void> {
  const { kind, tenants: count, max = count } = JSON.parse(process.argv[2] as string);
  const text = (value: string) => Buffer.from(value).toString('latin1');
  const url = 'https://my.qelos.example';
  const claims = Buffer.from(JSON.stringify({ iat: 1, exp: 18_001, sub: 'x'.repeat(kind === 'jwt' ? 450 : 0) }));
  const tokenOf = (id: string) => text(`e30.${claims.toString('base64url')}.${id.padEnd(43, 's')}`);

  const load = (id: string): TenantConfig =>
    kind === 'apiToken'
      ? { url: text(url), apiToken: text(`ql_${id.padStart(64, '0')}`) }
      : { url: text(url), username: text(id), password: text(`password-of-${id}`) };
  const answer = (config: InternalAxiosRequestConfig): object => {
    if (kind === 'apiToken') return { _id: '65f0c0ffee65f0c0ffee65f0', username: 'someone', roles: ['admin'] };
    const { username } = JSON.parse(config.data as string);
    const user = { username, email: `${username}@null`, roles: ['admin'] };
    const refreshToken = kind === 'jwt' ? tokenOf(username) : text(username.padEnd(40, 'r'));
    return { payload: { token: tokenOf(username), refreshToken, user } };
  };
  const adapter = async (config: InternalAxiosRequestConfig) => ({
    status: 200,
    statusText: 'OK',
    headers: { 'content-type': 'application/json' },
    data: JSON.stringify(answer(config)),
    config,
  });

  const tenants = new TenantAuth(load, { max, axios: { adapter } });
  const use = async (from: number, to: number) => {
    for (let i = from; i < to; i++) await tenants.for(`tenant-${i}`);
  };
  const settled = async () => {
    for (let i = 0; i < 12; i++) {
      await new Promise(setImmediate);
      globalThis.gc?.();
    }
    return process.memoryUsage().heapUsed + process.memoryUsage().external;
  };
  const WARM = 1_000;
  await use(0, WARM);
  const before = await settled();
  await use(WARM, count);
  const after = await settled();
  const bytes = Math.round((after - before) / (count - WARM));
  console.log(JSON.stringify({ size: tenants.size, bytes }));
}

main();
