// One process that both imports and requires the package, as happens when a plugin and one of its dependencies use it.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import axios from 'axios';
import * as library from 'qelos-auth';
import * as testing from 'qelos-auth/testing';
import { container } from 'tsyringe';
import exercise from './exercise.cjs';

const require = createRequire(import.meta.url);

for (const [imported, required] of [
  [library, require('qelos-auth')],
  [testing, require('qelos-auth/testing')],
]) {
  assert.deepEqual(Object.keys(imported).sort(), Object.keys(required).sort());
  // Identity, so one set of classes and of tokens.
  for (const [name, value] of Object.entries(required)) assert.equal(imported[name], value, name);
}

await exercise({ library: require('qelos-auth'), testing, container: container.createChildContainer(), axios });
await exercise({ library, testing: require('qelos-auth/testing'), container, axios, foreign: require('axios') });
