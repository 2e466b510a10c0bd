import { AuthError } from '../contract/auth-error';

/** Before 7.28, handlers do not get headers as they arrived; before 8.3, chunks that are cut short pass for whole. */
const USABLE = /^(7\.(2[89]|[3-9]\d)|8\.([3-9]|\d\d))\./;

/**
 * The undici that is installed beside this package.
 *
 * @throws AuthError `ERR_AUTH_CONFIG` if there is none, or in a version that cannot be used
 */
export function loadUndici(): typeof import('undici') {
  let version: unknown;
  try {
    version = require('undici/package.json').version;
    if (USABLE.test(String(version))) return require('undici');
  } catch (cause) {
    const isMissing = (cause as { code?: unknown }).code === 'MODULE_NOT_FOUND' && version === undefined;
    throw isMissing
      ? new AuthError('ERR_AUTH_CONFIG', 'undici() of qelos-auth/undici was called, and undici is not installed.', {
          hint: 'Run `npm install undici`, or leave out the option transport.',
          cause,
        })
      : unusable(version, cause);
  }
  throw unusable(version, undefined);
}

function unusable(version: unknown, cause: unknown): AuthError {
  return new AuthError(
    'ERR_AUTH_CONFIG',
    `qelos-auth/undici cannot use undici ${version} with Node ${process.versions.node}.`,
    {
      hint: 'Install undici 7.28 (from Node 20.18.1 on), 8.3 (from Node 22.19 on) or a later one of these, or leave out the option transport.',
      cause,
    },
  );
}
