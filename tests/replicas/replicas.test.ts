import { describe, expect, it } from '@jest/globals';
import { describeWithRedis } from '../support/with-redis';
import { inWords } from './fleet';
import { SCENARIOS, type Scenario, type Size } from './scenarios';

/** Less of everything than in `npm run test:replicas`, which does all of it. */
const MODERATE: Size = { processes: 4, callers: 5, runMs: 7_000 };
const HERE = ['one session'];

const chosen = SCENARIOS.filter(({ name }) => HERE.some((part) => name.includes(part)));

const cases = (scenarios: readonly Scenario[]) =>
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    async (_name, scenario) => {
      const report = await scenario.run(MODERATE);
      expect({ faults: scenario.faults(report), seen: inWords(report) }).toEqual({ faults: [], seen: inWords(report) });
    },
    120_000,
  );

describe('processes that share a session through files', () => cases(chosen.filter(({ needsRedis }) => !needsRedis)));
describeWithRedis('processes that share a session through Redis', () =>
  cases(chosen.filter(({ needsRedis }) => needsRedis)),
);
