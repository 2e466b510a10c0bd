import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { AuthError, type TenantConfig } from '../../src';
import { failureOf } from '../strategies/obtaining';
import { type Backend, startBackend } from '../support/backend';
import { leaks } from '../support/secrets';
import { whenDone } from '../support/when-done';
import { NOWHERE, openTenants, strategyOf } from './open';

/** As a database gives them: text that has been parsed, whose type nobody has checked. */
const parsed = (text: string) => JSON.parse(text) as TenantConfig;

/** What a pool makes of a tenant's settings. */
const refusalOf = (given: unknown) => failureOf(openTenants(() => given as TenantConfig).for('x'));

const OF_THIS_MACHINE = `ql_${'f'.repeat(64)}`;

/** A file that only this process may read, as a mounted secret is. */
function secretFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'qelos-auth-'));
  whenDone(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'token');
  writeFileSync(path, OF_THIS_MACHINE);
  return path;
}

describe("a tenant's settings are what a tenant may have, and nothing else", () => {
  let evil: Backend;
  const settings: [name: string, of: (path: string) => string, message: RegExp][] = [
    ['apiTokenFile', (path) => `{ "apiTokenFile": ${JSON.stringify(path)} }`, /"apiTokenFile"/],
    [
      'apiTokenFile in __proto__',
      (path) => `{ "__proto__": { "apiTokenFile": ${JSON.stringify(path)} } }`,
      /"__proto__"/,
    ],
    ['constructor', (path) => `{ "constructor": { "apiTokenFile": ${JSON.stringify(path)} } }`, /"constructor"/],
    ['toString', () => '{ "apiToken": "t", "toString": 1 }', /"toString"/],
    ['timeoutMs', () => '{ "apiToken": "t", "timeoutMs": 1e300 }', /"timeoutMs"/],
    ['env', () => '{ "env": { "QELOS_API_TOKEN": "t" } }', /"env"/],
    ['a name in other letter case', () => '{ "ApiToken": "t" }', /"ApiToken"/],
    [
      'several',
      () => '{ "_id": 1, "a": 2, "b": 3, "c": 4, "d": 5, "e": 6, "f": 7 }',
      /"_id", "a", "b", "c", "d", 2 more\./,
    ],
    ['a token in the place of a name', () => `{ "${OF_THIS_MACHINE}": "apiToken" }`, /a name of 67 characters/],
  ];

  it.each(settings)('S05 %s is refused by name; nothing is opened, nothing is sent', async (_name, text, message) => {
    evil = await startBackend();
    const given = parsed(text(secretFile()));
    const error = await refusalOf(Object.assign(given, { url: evil.url }));
    expect(error).toMatchObject({ code: 'ERR_AUTH_CONFIG', retryable: false, message: expect.stringMatching(message) });
    expect(error.message).toMatch(/^Tenant "x": It has settings that no tenant can have: [^\n]+$/);
    expect(leaks(error, [OF_THIS_MACHINE, '/token'])).toEqual([]);
    expect(evil.received).toEqual([]);
  });

  it('S05 what stands on the prototype of the settings is not taken', async () => {
    evil = await startBackend();
    const inherited = Object.assign(Object.create({ apiTokenFile: secretFile(), apiToken: 't' }), { url: evil.url });
    expect(await refusalOf(inherited)).toMatchObject({ code: 'ERR_AUTH_NO_STRATEGY' });
    expect(evil.received).toEqual([]);
  });

  it('S05 a setting is read once: one that changes its value meanwhile has been checked as it is used', async () => {
    const urls = [NOWHERE.url, 'http://169.254.169.254/'];
    const changing = {
      get url() {
        return urls.shift() as string;
      },
      apiToken: 't',
    };
    const seen: string[] = [];
    const tenants = openTenants(() => changing, {
      allowedHosts: ['qelos.test'],
      strategies: ({ url }) => {
        seen.push(url);
        return [strategyOf('own')];
      },
    });
    await tenants.for('x');
    expect(seen).toEqual([NOWHERE.url]);
  });

  it.each([
    ['null counts as not given', '{ "apiToken": null, "username": null, "password": null, "workspace": null }'],
    ['the least', '{}'],
  ])('S05 %s', async (_name, text) => {
    const tenants = openTenants(() => ({ ...parsed(text), ...NOWHERE }), { strategies: () => [strategyOf('own')] });
    expect((await tenants.for('x')).http.defaults.baseURL).toBe(NOWHERE.url);
  });

  it.each<[unknown, string]>([
    [null, 'There are no settings for it.'],
    ['{"url":"https://qelos.test"}', 'Its settings are of type string.'],
    [17, 'Its settings are of type number.'],
    [Object, 'Its settings are of type function.'],
    [['https://qelos.test'], 'It has settings that no tenant can have: "0".'],
  ])('S05 settings that are none: %p', async (given, message) => {
    expect(await refusalOf(given)).toMatchObject({ code: 'ERR_AUTH_CONFIG', message: `Tenant "x": ${message}` });
  });

  it('S05 settings that cannot be read are an outage, in no words of theirs', async () => {
    const odd = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error(OF_THIS_MACHINE);
        },
      },
    );
    const error = await refusalOf(odd);
    expect(error).toMatchObject({ code: 'ERR_AUTH_UNAVAILABLE', message: expect.stringContaining('Error was thrown') });
    expect(leaks(error, [OF_THIS_MACHINE])).toEqual([]);
  });
});

describe('allowedHosts', () => {
  const HOSTS = [
    'my.qelos.example',
    'other.example:8443',
    '*.plugins.example',
    '*.dev.example:3000',
    '[::1]:3000',
    'MÜNCHEN.example',
  ];

  const isAllowed = async (url: string) => {
    const tenants = openTenants(() => ({ url }), { allowedHosts: HOSTS, strategies: () => [strategyOf('own')] });
    try {
      await tenants.for('x');
      return true;
    } catch (error) {
      expect(error).toMatchObject({
        code: 'ERR_AUTH_CONFIG',
        message: 'Tenant "x": The host of its url is not one of allowedHosts.',
      });
      expect(String((error as AuthError).hint)).not.toContain(new URL(url).host);
      return false;
    }
  };

  it.each([
    ['https://my.qelos.example', true],
    ['https://MY.Qelos.Example:443/base/', true],
    ['https://my.qelos.example:8443', false],
    ['https://my.qelos.example.', false],
    ['https://my.qelos.example.evil.example', false],
    ['https://evil-my.qelos.example', false],
    ['https://a.my.qelos.example', false],
    ['https://evil.example\\.my.qelos.example', false],
    ['https://evil.example/my.qelos.example', false],
    ['https://other.example:8443', true],
    ['https://other.example', false],
    ['https://a.plugins.example', true],
    ['https://b.a.plugins.example', true],
    ['https://plugins.example', false],
    ['https://.plugins.example', false],
    ['https://evilplugins.example', false],
    ['https://a.plugins.example:444', false],
    ['https://a.dev.example:3000', true],
    ['https://a.dev.example', false],
    ['http://[::1]:3000', true],
    ['http://[0:0:0:0:0:0:0:1]:3000', true],
    ['http://127.0.0.1:3000', false],
    ['http://2130706433', false],
    ['https://169.254.169.254', false],
    ['https://xn--mnchen-3ya.example', true],
  ])('S05 %s: %p', async (url, expected) => {
    expect(await isAllowed(url)).toBe(expected);
  });

  it('S05 a host that is not allowed gets nothing, and its strategies are not made', async () => {
    const evil = await startBackend();
    let made = 0;
    const tenants = openTenants(() => ({ url: evil.url, apiToken: 't' }), {
      allowedHosts: ['qelos.test'],
      strategies: () => {
        made++;
        return [];
      },
    });
    const error = await failureOf(tenants.for('x'));
    expect(error).toMatchObject({ code: 'ERR_AUTH_CONFIG', hint: expect.stringContaining('allowedHosts') });
    expect(leaks(error, [evil.url, String(evil.port)])).toEqual([]);
    expect([made, evil.received]).toEqual([0, []]);
  });

  it('S05 none is allowed where none is named', async () => {
    expect(await failureOf(openTenants(() => NOWHERE, { allowedHosts: [] }).for('x'))).toMatchObject({
      message: expect.stringContaining('not one of allowedHosts'),
    });
  });

  it.each<unknown>([
    [''],
    ['https://x.example'],
    ['x.example/'],
    ['x.example/api'],
    ['u@x.example'],
    ['x.example?'],
    ['*'],
    ['*.'],
    ['a.*.example'],
    ['*.1.2.3.4'],
    ['*.[::1]'],
    ['x example'],
    [7],
    [undefined],
  ])('S05 %p is no host, and said to be none', (pattern) => {
    const create = () => openTenants(() => NOWHERE, { allowedHosts: ['x.example', pattern as string] });
    expect(create).toThrow(AuthError);
    expect(create).toThrow(
      expect.objectContaining({
        code: 'ERR_AUTH_CONFIG',
        message: expect.stringMatching(/^allowedHosts\[1\] is none: /),
      }),
    );
  });

  it('S05 a text in the place of the array is refused', () => {
    expect(() => openTenants(() => NOWHERE, { allowedHosts: 'x.example' as never })).toThrow(
      /allowedHosts must be an array/,
    );
  });
});
