import { createHmac, timingSafeEqual } from 'node:crypto';

const header = encode({ alg: 'HS256', typ: 'JWT' });

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function signature(text: string, key: Buffer): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** A JSON Web Token over `claims`, signed with HS256: the only algorithm Qelos uses. Same claims and key, same text. */
export function signToken(claims: object, key: Buffer): string {
  const text = `${header}.${encode(claims)}`;
  return `${text}.${signature(text, key).toString('base64url')}`;
}

/** The claims of a token that `key` signed and that has not reached its `exp` at `now` (in seconds), else undefined. */
export function verifyToken<Claims extends { exp: number }>(
  token: string,
  key: Buffer,
  now: number,
): Claims | undefined {
  const [head, payload, signed, more] = token.split('.');
  if (head !== header || payload === undefined || signed === undefined || more !== undefined) return undefined;
  const given = Buffer.from(signed, 'base64url');
  const right = signature(`${head}.${payload}`, key);
  if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
  // Whatever carries a good signature was written by `signToken`, so it parses and has the shape its key stands for.
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
  return claims.exp > now ? claims : undefined;
}
