// In JavaScript, as the declarations of jsdom would bring those of the DOM into every file of the project.
const { TestEnvironment } = require('jest-environment-jsdom');

const KEPT = [
  'Request',
  'Response',
  'Headers',
  'Blob',
  'FormData',
  'URL',
  'URLSearchParams',
  'AbortController',
  'AbortSignal',
];
const HIDDEN = [
  'fetch',
  'ReadableStream',
  'TextEncoder',
  'TextDecoder',
  'setImmediate',
  'clearImmediate',
  'Uint8Array',
];

/** jsdom that keeps the globals of Node, as vitest's does and jest-fixed-jsdom makes jest's. XMLHttpRequest is jsdom's. */
module.exports = class JsdomWithNode extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of [...KEPT, ...HIDDEN]) this.global[name] = globalThis[name];
  }

  exportConditions() {
    return ['node', 'node-addons'];
  }
};
