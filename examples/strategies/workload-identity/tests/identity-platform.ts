import { generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface IdentityPlatform {
  /** Where the workload finds its token. */
  readonly tokenFile: string;
  /** For who has to check tokens. */
  readonly publicKey: KeyObject;
  /** The tokens that were ever written. */
  readonly tokens: readonly string[];
  /** Replaces the token in the file. */
  rotate(claims?: { aud?: string; lifeSeconds?: number }): Promise<void>;
  close(): Promise<void>;
}

const AUDIENCE = 'qelos-broker';

/**
 * Stands in for what gives workloads their identity, as Kubernetes does with projected service-account tokens
 * (https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#serviceaccount-token-volume-projection):
 * a signed JSON Web Token in a file, replaced before it ends.
 */
export async function startPlatform(): Promise<IdentityPlatform> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const folder = await mkdtemp(join(tmpdir(), 'qelos-auth-workload-identity-'));
  const tokenFile = join(folder, 'token');
  const tokens: string[] = [];
  const rotate = async ({ aud = AUDIENCE, lifeSeconds = 600 } = {}) => {
    const iat = Math.floor(Date.now() / 1000);
    const sub = 'system:serviceaccount:plugins:books';
    const parts = [
      { alg: 'ES256', typ: 'JWT' },
      { iss: 'https://platform.test', sub, aud: [aud], iat, exp: iat + lifeSeconds, jti: `${tokens.length}` },
    ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
    const signature = sign('sha256', Buffer.from(parts.join('.')), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    const token = [...parts, signature.toString('base64url')].join('.');
    tokens.push(token);
    await writeFile(`${tokenFile}.next`, token);
    await rename(`${tokenFile}.next`, tokenFile);
  };
  await rotate();
  return { tokenFile, publicKey, tokens, rotate, close: () => rm(folder, { recursive: true, force: true }) };
}

/** Whether a token is one of the platform, for the broker, and has not ended. */
export function isIdentity(token: string, publicKey: KeyObject): boolean {
  const [header = '', claims = '', signature = ''] = token.split('.');
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
  if (!verify('sha256', Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, 'base64url'))) return false;
  const { aud, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString());
  return aud.includes(AUDIENCE) && exp > Date.now() / 1000;
}
