// Before tsyringe, and in place of an import of reflect-metadata.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import axios from 'axios';
import * as library from 'qelos-auth';
import * as testing from 'qelos-auth/testing';
import { container } from 'tsyringe';
import exercise from './exercise.cjs';

await exercise({ library, testing, container, axios });

const loaded = Object.keys(createRequire(import.meta.url).cache);
assert.ok(loaded.length > 0);
assert.deepEqual(
  loaded.filter((file) => file.endsWith('axios.cjs')),
  [],
  'axios is loaded once, as the ES module that the plugin has',
);
