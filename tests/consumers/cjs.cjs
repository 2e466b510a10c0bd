const assert = require('node:assert/strict');
// Before tsyringe, and in place of an import of reflect-metadata.
const library = require('qelos-auth');
const axios = require('axios');
const { container } = require('tsyringe');
const exercise = require('./exercise.cjs');

const loaded = Object.keys(require.cache);
assert.equal(
  loaded.some((file) => file.endsWith('qelos-sdk.js')),
  false,
  'the SDK is loaded by whoever uses it, not by the import of the package',
);

exercise({ library, testing: require('qelos-auth/testing'), container, axios });
