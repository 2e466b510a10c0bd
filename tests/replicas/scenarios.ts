import { type FleetOptions, type FleetReport, runFleet } from './fleet';
import type { Step } from './replica.types';

/** How much of everything. */
export interface Size {
  readonly processes: number;
  readonly callers: number;
  readonly runMs: number;
}

export interface Scenario {
  readonly name: string;
  readonly needsRedis: boolean;
  run(size: Size): Promise<FleetReport>;
  /** What is not as it has to be. */
  faults(report: FleetReport): string[];
}

const STEPS: readonly Step[] = ['locked', 'read', 'obtained', 'saved', 'unlocking'];
const STORES = ['redis', 'file'] as const;
const CLOCK_ERROR_MS = 600_000;

/** Nothing fails that the server could have answered. */
const noFailure = ({ failures }: FleetReport) =>
  failures.length > 0 ? [`${failures.length} calls failed: ${failures[0]}`] : [];
const atMost = (what: string, seen: number, most: number) => (seen > most ? [`${what}: ${seen}, at most ${most}`] : []);
/** Each process may have to sign in once to recover, after the first sign-in of all. */
const recovered = (report: FleetReport) => [
  ...noFailure(report),
  ...atMost('sign-ins', report.signIns, report.processes + 1),
];
const reachedStep = (step: Step, { reached }: FleetReport) =>
  reached.includes(step) ? [] : [`no process came to the step "${step}"`];

function scenario(
  name: string,
  store: FleetOptions['store'],
  options: Partial<FleetOptions>,
  faults: (report: FleetReport) => string[],
): Scenario {
  const run = (size: Size) => runFleet({ store, ...size, ...options });
  return { name: `${name} (${store})`, needsRedis: store === 'redis', run, faults };
}

const smooth = STORES.map((store) =>
  scenario('one session for all', store, {}, (report) => [
    ...noFailure(report),
    ...atMost('sign-ins', report.signIns, 1),
    ...atMost('refused refreshes', report.refusedRefreshes, 0),
    ...atMost('refreshes a life', report.refreshesPerLife, 1.3),
  ]),
);

const killed = STORES.flatMap((store) =>
  STEPS.map((step) => {
    const end = { step, signal: 'SIGKILL', afterMs: 500 } as const;
    return scenario(
      `the holder of the lock is killed: ${step}`,
      store,
      { differs: (index) => (index === 0 ? { end } : {}) },
      (report) => [...recovered(report), ...reachedStep(step, report)],
    );
  }),
);

const stopped = STORES.flatMap((store) =>
  (['locked', 'obtained'] as const).map((step) => {
    const end = { step, signal: 'SIGSTOP', afterMs: 500 } as const;
    return scenario(
      `the holder of the lock stands still for longer than its lease: ${step}`,
      store,
      // The lease is twice the time-out; the process stands still for six seconds.
      { timeoutMs: 2_500, differs: (index) => (index === 0 ? { end } : {}) },
      (report) => {
        // What waited in the process that stood still was late whatever the library does.
        const others = { ...report, failures: report.reports.slice(1).flatMap(({ failures }) => failures) };
        return [...recovered(others), ...reachedStep(step, report)];
      },
    );
  }),
);

const clocks = STORES.flatMap((store) =>
  [CLOCK_ERROR_MS, -CLOCK_ERROR_MS].map((clockErrorMs) =>
    scenario(
      `a clock is ${clockErrorMs > 0 ? 'ten minutes fast' : 'ten minutes slow'} in one process`,
      store,
      { differs: (index) => (index === 0 ? { clockErrorMs } : {}) },
      (report) => [
        ...noFailure(report),
        ...atMost('sign-ins', report.signIns, 1),
        ...atMost('refreshes a life', report.refreshesPerLife, 1.6),
      ],
    ),
  ),
);

const keys = STORES.map((store) =>
  scenario(
    'the key is being replaced',
    store,
    { encryptionKey: (index, [old, fresh]) => (index % 2 === 0 ? [old, fresh] : [fresh, old]) },
    (report) => [...noFailure(report), ...atMost('sign-ins', report.signIns, 1)],
  ),
);

const restarted = scenario(
  'Redis is killed and started again, empty',
  'redis',
  {
    meanwhile: async (redis) => {
      const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
      await pause(4_000);
      await redis.kill();
      await pause(4_000);
      await redis.start();
    },
  },
  recovered,
);

export const SCENARIOS: readonly Scenario[] = [...smooth, ...killed, ...stopped, ...clocks, ...keys, restarted];
