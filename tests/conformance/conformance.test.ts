import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Need } from './row';
import { rows } from './rows';
import { World } from './world';

/**
 * The recording, row by row, held against the embedded server; with `QELOS_CONFORMANCE_URL`, `QELOS_USERNAME` and
 * `QELOS_PASSWORD` (an admin) against a real Qelos, where the same rows must pass unchanged. What they create there,
 * they remove.
 *
 * `QELOS_CONFORMANCE_BLUEPRINT` names a blueprint of the real one. `QELOS_CONFORMANCE_WITHOUT` lists what it has not:
 * `workspaces`, `api-tokens`, `gateway`. Rows that take more than there is are skipped, and say why in their name.
 */
const { env } = process;
const url = env['QELOS_CONFORMANCE_URL'];

const reasons: Record<Need, string> = {
  control: 'takes control of the server',
  workspaces: 'takes workspaces that users may create',
  'api-tokens': 'takes API tokens that users may create',
  gateway: 'takes a gateway that is reached directly',
  blueprint: 'takes a blueprint, by QELOS_CONFORMANCE_BLUEPRINT',
};

const absent = (env['QELOS_CONFORMANCE_WITHOUT'] ?? '').split(',').map((need) => need.trim());

function lacks(need: Need): boolean {
  if (url === undefined) return false;
  if (need === 'control') return true;
  if (need === 'blueprint') return env['QELOS_CONFORMANCE_BLUEPRINT'] === undefined;
  return absent.includes(need);
}

/** Some rows prepare 50 sessions, one after another, and a real sign-in takes 200 ms. */
const ROW_LIMIT_MS = 60_000;

let world: World;

beforeAll(async () => {
  if (url === undefined) {
    world = await World.embedded();
    return;
  }
  const username = env['QELOS_USERNAME'];
  const password = env['QELOS_PASSWORD'];
  if (!username || !password) throw new Error('set QELOS_USERNAME and QELOS_PASSWORD to those of an admin');
  world = World.real(url, { username, password });
});
afterEach(() => world.tidy(), ROW_LIMIT_MS);
afterAll(() => world.close());

describe.each([...new Set(rows.map(({ section }) => section))])('%s', (section) => {
  for (const row of rows.filter((candidate) => candidate.section === section)) {
    const missing = row.needs.find(lacks);
    const name = `${row.id} ${row.title}`;
    if (missing === undefined) test(name, () => row.hold(world), ROW_LIMIT_MS);
    else test.skip(`${name} (skipped: ${reasons[missing]})`, () => undefined);
  }
});

test('every row has an id of its own', () => {
  const ids = rows.map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)]);
});
