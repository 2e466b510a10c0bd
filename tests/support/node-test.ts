// Stands in for `node:test`, so that jest runs the tests of examples which use Node's own runner when they are on their own.
export { afterEach, beforeEach, describe, it } from '@jest/globals';
