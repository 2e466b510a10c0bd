import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const ROOT = resolve(__dirname, '../..');

const IMPORTS = `
import {
  AUTH_CONFIG, AuthError, type AuthContext, type AuthStrategy, Credential, createQelosAuth, QELOS_HTTP, QELOS_SDK,
} from 'qelos-auth';
import { describeAuthStrategy, type StrategyUnderTest } from 'qelos-auth/testing';
import { describe, it } from '@jest/globals';
import { container } from 'tsyringe';
declare const strategy: AuthStrategy;
declare const subject: StrategyUnderTest;
const auth = createQelosAuth();
export { AUTH_CONFIG, AuthError, type AuthContext, type AuthStrategy, Credential, createQelosAuth, QELOS_HTTP, QELOS_SDK, describeAuthStrategy, describe, it, container, strategy, subject, auth };
`;

/** What the compiler has to refuse, and what it has to say, so that whoever wrote it understands. */
const WRONG: [name: string, code: string, says: RegExp][] = [
  [
    'a strategy without missing()',
    `export class Mine implements AuthStrategy {
  readonly name = 'mine';
  signIn = async () => Credential.apiKey('key');
}`,
    /Property 'missing' is missing in type 'Mine' but required in type 'AuthStrategy'/,
  ],
  [
    'a strategy whose missing() is asynchronous',
    `export const mine: AuthStrategy = { ...strategy, missing: async () => [] };`,
    /Type 'Promise<.*\[\]>' is .*'readonly string\[\]'/,
  ],
  [
    'a strategy that returns its token',
    `export const mine: AuthStrategy = { ...strategy, signIn: async () => 'token' };`,
    /Type 'string' is not assignable to type 'Credential'/,
  ],
  [
    'a strategy that returns a plain object',
    `export const mine: AuthStrategy = { ...strategy, signIn: async () => ({ accessToken: 'token' }) };`,
    /Type '\{ accessToken: string; \}' is missing the following properties from type 'Credential'/,
  ],
  [
    'a strategy that may return nothing',
    `export class Mine implements AuthStrategy {
  readonly name = 'mine';
  missing = () => [];
  async signIn({ signal }: AuthContext) {
    if (!signal.aborted) return Credential.apiKey('key');
    return undefined;
  }
}`,
    /Type 'undefined' is not assignable to type 'Credential'/,
  ],
  ['a credential made by hand', `new Credential();`, /Constructor of class 'Credential' is private/],
  [
    'a refresh token that is a number',
    `Credential.bearer('token', { refreshToken: 1 });`,
    /Type 'number' is not assignable to type 'string'/,
  ],
  [
    'authorize() that changes where a request goes',
    `export const mine: AuthStrategy = {
  ...strategy,
  authorize(request) {
    request.url = 'https://elsewhere.example';
  },
};`,
    /Cannot assign to 'url' because it is a read-only property/,
  ],
  [
    'an error without a hint',
    `new AuthError('ERR_AUTH_REFUSED', 'Refused.', { httpStatus: 401 });`,
    /Property 'hint' is missing in type '\{ httpStatus: number; \}' but required in type 'AuthErrorDetails'/,
  ],
  [
    'an error with a code of its own',
    `new AuthError('ERR_VAULT', 'Refused.', { hint: 'Set VAULT_KEY.' });`,
    /'"ERR_VAULT"' is not assignable to parameter of type 'AuthErrorCode'/,
  ],
  [
    'an event that does not exist',
    `auth.on('signedin', () => {});`,
    /'"signedin"' is not assignable to parameter of type 'keyof AuthEvents'/,
  ],
  [
    'a secret taken from an event',
    `auth.on('signedIn', ({ token }) => console.log(token));`,
    /Property 'token' does not exist on type 'ObtainedEvent'/,
  ],
  [
    'a setting that is misspelt',
    `createQelosAuth({ config: { apitoken: 'ql_1' } });`,
    /'apitoken' does not exist in type 'Partial<AuthConfig>'.*'apiToken'/,
  ],
  [
    'a class that is no strategy among the strategies',
    `createQelosAuth({ strategies: [class { readonly name = 'mine'; }] });`,
    /Property 'signIn' is missing in type '\(Anonymous class\)'/,
  ],
  [
    'axios taken for the whole',
    `container.resolve(QELOS_HTTP).signIn();`,
    /Property 'signIn' does not exist on type 'AxiosInstance'/,
  ],
  [
    'the SDK taken for axios',
    `container.resolve(QELOS_SDK).get('/api/me');`,
    /Property 'get' does not exist on type 'QelosAdministratorSDK<any>'/,
  ],
  [
    'a setting written into the configuration',
    `container.resolve(AUTH_CONFIG).url = '';`,
    /Cannot assign to 'url' because it is a read-only property/,
  ],
  [
    'a suite that makes nobody refuse',
    `describeAuthStrategy('mine', { describe, it, create: () => ({ strategy, secrets: [], hang() {} }) });`,
    /Property 'refuse' is missing/,
  ],
  [
    'a suite that leaves out refusals only, and makes nobody silent',
    `const create = () => ({ strategy, secrets: [] });
describeAuthStrategy('mine', { describe, it, without: ['refuse'], create });`,
    /Property 'hang' is missing/,
  ],
  [
    'a suite without secrets',
    `describeAuthStrategy('mine', { describe, it, create: () => ({ strategy, refuse() {}, hang() {} }) });`,
    /Property 'secrets' is missing/,
  ],
  [
    'a suite whose server cannot be closed',
    `describeAuthStrategy('mine', { describe, it, server: async () => ({ url: '' }), create: () => subject });`,
    /Property 'close' is missing in type '\{ url: string; \}' but required in type 'AuthStrategyServer'/,
  ],
];

const folder = join(ROOT, 'temp', `wrong-use-${process.pid}`);
/** What the compiler said, by the number of the file. */
const said = new Map<number, string>();

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'imports.ts'), IMPORTS);
  for (const [index, [, code]] of WRONG.entries()) writeFileSync(join(folder, `wrong-${index}.ts`), withImports(code));
  const compilerOptions = {
    typeRoots: [join(ROOT, 'node_modules/@types')],
    paths: {
      'qelos-auth': [join(ROOT, 'src/index.ts')],
      'qelos-auth/*': [join(ROOT, 'src/*/index.ts')],
    },
  };
  const tsconfig = { extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: ['*.ts'], exclude: [] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { stdout } = spawnSync(process.execPath, [tsc, '--pretty', 'false', '-p', folder], { encoding: 'utf8' });
  for (const message of stdout.split(/^(?=\S)/m)) {
    const index = Number(/wrong-(\d+)\.ts/.exec(message)?.[1] ?? -1);
    said.set(index, (said.get(index) ?? '') + message);
  }
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** With what it uses of the names that all of them share. */
function withImports(code: string): string {
  const names = /export \{ (.*) \};/.exec(IMPORTS)?.[1]?.split(', ') ?? [];
  const used = names.filter((name) => new RegExp(`\\b${name.replace('type ', '')}\\b`).test(code));
  return `import { ${used.join(', ')} } from './imports';\n${code}\n`;
}

test.each(WRONG.map(([name, , says], index) => [name, says, index] as const))('%s: %p', (_name, says, index) => {
  expect(said.get(index) ?? 'nothing').toMatch(says);
});

test('nothing else is refused', () => {
  expect(said.get(-1) ?? '').toBe('');
});
