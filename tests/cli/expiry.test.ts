import { expect, test } from '@jest/globals';
import { lifeLeft, readExpiry } from '../../src/cli/expiry';

const NOW = Date.parse('2026-11-25T18:00:00Z');

test.each([
  ['90d', '2027-02-23T18:00:00.000Z'],
  ['2w', '2026-12-09T18:00:00.000Z'],
  ['1m', '2026-12-25T18:00:00.000Z'],
  ['1y', '2027-11-25T18:00:00.000Z'],
  ['2027-06-30', '2027-06-30T00:00:00.000Z'],
])('%s is %s', (text, end) => {
  expect(readExpiry(text, NOW).toISOString()).toBe(end);
});

test.each(['', '90', '-1d', '90 days', '2027-02-30', '2027-6-1', 'tomorrow', '1e3d', '99999d'])(
  '"%s" is no expiry',
  (text) => {
    expect(() => readExpiry(text, NOW)).toThrow(`"${text}" is no expiry.`);
  },
);

test.each(['0d', '2026-11-25', '2020-01-01'])('%s is not in the future', (text) => {
  expect(() => readExpiry(text, NOW)).toThrow(`"${text}" is not in the future.`);
});

test.each([
  [90 * 86_400_000 - 59_000, '90 days'],
  [2 * 86_400_000 - 61_000, '1 day'],
  [5 * 3_600_000, '5 h'],
  [90_000, '1 min'],
  [-5, '0 min'],
])('%d ms are %s', (ms, words) => {
  expect(lifeLeft(new Date(NOW + ms), NOW)).toBe(words);
});
