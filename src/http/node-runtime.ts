import type { CreateAxiosDefaults } from 'axios';
import { AuthError } from '../contract/auth-error';
import { axiosInUse } from './axios';

/** Globals of Node that this library needs and that a simulated browser, such as jest's jsdom environment, hides. */
const NEEDED = ['ReadableStream', 'Request', 'Response', 'Headers'] as const;

/**
 * The adapter for requests whose sender chose none; undefined: the one that axios picks.
 *
 * axios prefers XMLHttpRequest where there is one. In Node that is the one of a simulated browser, which applies CORS and
 * refuses some headers, so Node's client takes its place.
 *
 * @throws AuthError `ERR_AUTH_CONFIG` if a simulated browser hides what this library needs of Node
 */
export function adapterInNode(): CreateAxiosDefaults['adapter'] | undefined {
  const hidden: string[] = NEEDED.filter((name) => typeof globalThis[name] === 'undefined');
  if (typeof AbortSignal.any !== 'function') hidden.push('AbortSignal.any');
  if (hidden.length > 0) throw simulatedBrowser(`Globals of Node are missing: ${hidden.join(', ')}`);
  const axios = axiosInUse();
  if (!Array.isArray(axios.defaults.adapter) || !('XMLHttpRequest' in globalThis)) return undefined;
  try {
    axios.getAdapter('http');
  } catch {
    throw simulatedBrowser("The axios that was loaded is its build for browsers, which lacks Node's HTTP client");
  }
  return 'http';
}

function simulatedBrowser(seen: string): AuthError {
  return new AuthError('ERR_AUTH_CONFIG', `${seen}. This looks like a simulated browser, such as jsdom.`, {
    hint:
      'Run this test file in Node: begin it with `/** @jest-environment node */`, or `// @vitest-environment node`. ' +
      "To keep jsdom in jest, use an environment that keeps Node's globals, such as jest-fixed-jsdom.",
  });
}
