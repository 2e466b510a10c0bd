/** What becomes of the results: tables in docs/performance.md, charts beside it, results.json, and a verdict on each target. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, platform, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { BARE, OURS } from './subjects.mjs';

const require = createRequire(import.meta.url);
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** What the numbers come from. Nothing that tells whose machine it is. */
export function machine() {
  const { dependencies } = JSON.parse(readFileSync(path('./package.json'), 'utf8'));
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    platform: platform(),
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
    versions: dependencies,
  };
}

const number = (value, digits = 0) =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
/** A median with what it wandered between. */
const spread = ({ median, min, max }, digits = 0) =>
  `${number(median, digits)} (${number(min, digits)}–${number(max, digits)})`;
/** Counts that are mostly the same each round. */
const counted = ({ median, min, max }) => (min === max ? number(median) : spread({ median, min, max }));

const table = (columns, rows) =>
  [columns, columns.map((_, i) => (i === 0 ? '---' : '---:')), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
const named = (name) => (name.startsWith(OURS) ? `**${name}**` : name);
const rowsOf = (results, row) => Object.entries(results).map(([name, value]) => [named(name), ...row(value)]);

/** One table, or more, for each measurement. */
const TABLES = {
  'per-request': (results) =>
    table(
      ['', 'promises', 'bytes', 'of bare axios', 'CPU µs', 'of bare axios'],
      rowsOf(results, ({ promises, bytes, bytesRatio, cpuMicroseconds, cpuRatio }) => [
        number(promises, promises % 1 ? 1 : 0),
        number(bytes.median),
        spread(bytesRatio, 2),
        number(cpuMicroseconds.median),
        spread(cpuRatio, 2),
      ]),
    ),
  throughput: (results) => {
    const callers = Object.keys(results);
    const names = Object.keys(results[callers[0]]);
    return table(
      ['', ...callers.flatMap((count) => [`${count} ${count === '1' ? 'caller' : 'callers'}`, 'of bare axios'])],
      names.map((name) => [
        named(name),
        ...callers.flatMap((count) => [
          number(results[count][name].perSecond.median),
          spread(results[count][name].ratio, 2),
        ]),
      ]),
    );
  },
  storm: (results) =>
    Object.entries(results)
      .map(([crowd, subjects]) =>
        table(
          [
            `${number(Number(crowd))} ${crowd === '1' ? 'call' : 'calls at once'}`,
            ...['refreshes', 'refused refreshes', 'sign-ins', 'failed calls', 'p50 ms', 'p99 ms', 'p99 of the calm'],
          ],
          rowsOf(subjects, ({ refreshes, refusedRefreshes, signIns, failed, p50, p99, p99Ratio }) => [
            ...[refreshes, refusedRefreshes, signIns, failed].map(counted),
            ...(p99 ? [number(p50.median), number(p99.median), spread(p99Ratio, 2)] : ['–', '–', '–']),
          ]),
        ),
      )
      .join('\n\n'),
  'short-tokens': (results) =>
    table(
      ['', 'calls', 'failed calls', 'refreshes', 'a second', 'refused refreshes', 'sign-ins'],
      rowsOf(results, ({ calls, failed, refreshes, refreshesPerSecond, refusedRefreshes, signIns }) => [
        ...[calls, failed, refreshes].map((count) => number(count)),
        number(refreshesPerSecond, 2),
        ...[refusedRefreshes, signIns].map((count) => number(count)),
      ]),
    ),
  'start-up': (results) =>
    table(
      ['', 'load ms', 'over axios and tsyringe', 'heap kB', 'over axios and tsyringe', 'first answer ms'],
      rowsOf(results, ({ loadMs, loadMsOverPeers, heapKb, heapKbOverPeers, answerMs }) => [
        ...[
          spread(loadMs),
          spread(loadMsOverPeers),
          number(heapKb.median),
          number(heapKbOverPeers.median),
          spread(answerMs),
        ],
      ]),
    ),
  heap: (results) =>
    table(
      ['', 'requests', 'heap growth kB', 'bytes a request'],
      rowsOf(results, ({ requests, growthKb, bytesPerRequest }) => [
        ...[number(requests), number(growthKb, 1), number(bytesPerRequest, 3)],
      ]),
    ),
  'fetch-and-sdk': ({ requestsPerSecond, megabytesPerSecond }) =>
    [
      ['small answers, 50 callers', 'requests a second', requestsPerSecond],
      ['streams of 10 MB, one after the other', 'MB a second', megabytesPerSecond],
    ]
      .map(([what, unit, results]) =>
        table(
          [what, unit, 'of fetch'],
          rowsOf(results, (values) => [spread(values), spread(values.ratio, 2)]),
        ),
      )
      .join('\n\n'),
};

/** Each target with what was measured; those whose measurement was left out are left out. */
export function judge(results) {
  const targets = [];
  const target = (text, measured, passed) => targets.push({ target: text, measured, passed });
  const { 'per-request': cost, throughput, storm, 'short-tokens': short, 'start-up': startUp, heap } = results;
  const { 'fetch-and-sdk': fetchAndSdk } = results;
  if (cost) {
    const more = cost[OURS].promises - cost[BARE].promises;
    target('promises over bare axios, at most 2', `${number(more, 1)}`, more <= 2);
    const bytes = cost[OURS].bytesRatio.median;
    target('bytes of bare axios, at most 1.03', number(bytes, 3), bytes <= 1.03);
  }
  if (throughput) {
    const { median } = throughput[50][OURS].ratio;
    target('requests a second of bare axios at 50 callers, at least 1.00', number(median, 2), median >= 1);
    const undici = throughput[50][`${OURS}, transport: undici`]?.ratio.median;
    if (undici) target('the same with the undici transport, at least 1.30', number(undici, 2), undici >= 1.3);
  }
  if (storm) {
    const { refreshes, failed, p99Ratio } = storm[10_000][OURS];
    target('refreshes of 10,000 calls at expiry, 1', counted(refreshes), refreshes.max === 1);
    target('failed calls of 10,000 at expiry, 0', counted(failed), failed.max === 0);
    target('p99 of the same calls without expiry, at most 2.1', spread(p99Ratio, 2), p99Ratio.median <= 2.1);
  }
  if (short) {
    const { failed, refreshesPerSecond, calls } = short[OURS];
    target('failed calls with tokens that live 1 s, 0', `${failed} of ${number(calls)}`, failed === 0);
    target('refreshes a second of them, at most 1.3', number(refreshesPerSecond, 2), refreshesPerSecond <= 1.3);
  }
  if (startUp) {
    const { loadMsOverPeers, sdkLoaded } = startUp[OURS];
    target('ms to load over axios and tsyringe, at most 60', spread(loadMsOverPeers), loadMsOverPeers.median <= 60);
    target('the SDK is loaded only when used', sdkLoaded ? 'loaded' : 'not loaded', !sdkLoaded);
  }
  if (heap) {
    const { growthKb, bytesPerRequest, requests } = heap[OURS];
    // The smallest object takes 12 bytes, so one that is kept for each request would show at once.
    const text = `bytes of heap a request after ${number(requests)}, less than 1`;
    target(text, `${number(bytesPerRequest, 3)} (${number(growthKb)} kB in all)`, bytesPerRequest < 1);
  }
  if (fetchAndSdk) {
    const ofFetch = (name) => fetchAndSdk.requestsPerSecond[name].ratio.median;
    const ofSdk = (name) => ofFetch(name) / ofFetch('@qelos/sdk over fetch');
    const sdk = ofSdk('auth.sdk');
    target('requests a second of @qelos/sdk by auth.sdk, at least 1.00', number(sdk, 2), sdk >= 1);
    const undici = ofSdk('auth.sdk, transport: undici');
    target('the same with the undici transport, at least 1.20', number(undici, 2), undici >= 1.2);
    const fetch = ofFetch('auth.fetch');
    target('requests a second of fetch by auth.fetch, at least 0.90', number(fetch, 2), fetch >= 0.9);
  }
  return targets;
}

/** Prints the tables. */
export function print(results) {
  for (const [name, make] of Object.entries(TABLES))
    if (results[name]) console.log(`\n${name}\n${make(results[name])}`);
  console.log();
}

/** Writes results.json, the tables between the markers of docs/performance.md, and the charts. */
export async function write(results, targets) {
  writeFileSync(path('./results.json'), `${JSON.stringify(rounded({ ...results, targets }), null, 2)}\n`);
  const file = path('../docs/performance.md');
  let text = readFileSync(file, 'utf8');
  const put = (name, content) => {
    const [begin, end] = [`<!-- bench: ${name} -->`, '<!-- /bench -->'];
    const from = text.indexOf(begin);
    const to = text.indexOf(end, from);
    if (from < 0 || to < 0) throw new Error(`docs/performance.md has no place for ${name}`);
    text = `${text.slice(0, from)}${begin}\n${content}\n${text.slice(to)}`;
  };
  const { cpu, cores, memoryGb, platform: system, node, date } = results.machine;
  put('machine', `${date}, Node ${node}, ${cpu}, ${cores} cores, ${memoryGb} GB, ${system}.`);
  put(
    'targets',
    table(
      ['target', 'measured', ''],
      targets.map(({ target, measured, passed }) => [target, measured, passed ? 'met' : '**missed**']),
    ),
  );
  for (const [name, make] of Object.entries(TABLES)) put(name, make(results[name]));
  writeFileSync(file, text);
  draw(results);
}

/** Four digits are more than any of it is worth. */
function rounded(value) {
  return JSON.parse(JSON.stringify(value, (_, one) => (typeof one === 'number' ? Number(one.toPrecision(6)) : one)));
}

function draw({ 'per-request': cost, throughput, storm }) {
  mkdirSync(path('../docs/performance'), { recursive: true });
  const { names, of } = {
    names: Object.keys(throughput[50]),
    of: (count, name) => throughput[count][name].ratio.median,
  };
  chart('throughput', 'Requests a second, as a multiple of bare axios', names, [
    ...['1', '50', '500'].map((count) => ({ name: `${count} callers`, data: names.map((name) => of(count, name)) })),
  ]);
  const costed = Object.keys(cost);
  chart('per-request', 'Promises a request, no network', costed, [
    { name: 'promises', data: costed.map((name) => cost[name].promises) },
  ]);
  const stormed = Object.keys(storm[1_000]);
  chart('storm', '1,000 calls at the moment the access token ends', stormed, [
    ...[
      ['failed calls', 'failed'],
      ['refused refreshes', 'refusedRefreshes'],
      ['sign-ins', 'signIns'],
    ].map(([name, key]) => ({
      name,
      data: stormed.map((subject) => storm[1_000][subject][key].median),
    })),
  ]);
}

/** A bar chart as SVG, with the subjects from top to bottom and ours marked. */
function chart(file, title, names, series) {
  const echarts = require('echarts');
  const height = 110 + names.length * (14 + series.length * 12);
  const drawn = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 860, height });
  drawn.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: { text: title, left: 12, top: 10, textStyle: { fontSize: 15 } },
    legend: { top: 36, left: 8, show: series.length > 1 },
    grid: { left: 300, right: 60, top: series.length > 1 ? 68 : 44, bottom: 30 },
    xAxis: { type: 'value' },
    yAxis: {
      type: 'category',
      inverse: true,
      data: names,
      axisLabel: {
        width: 280,
        formatter: (name) => (name.startsWith(OURS) ? `{ours|${name}}` : name),
        rich: { ours: { fontWeight: 'bold' } },
      },
    },
    series: series.map(({ name, data }) => ({
      ...{ name, type: 'bar', barWidth: 9, data: data.map((value) => Number(value.toPrecision(3))) },
      label: { show: true, position: 'right', fontSize: 10 },
    })),
  });
  writeFileSync(path(`../docs/performance/${file}.svg`), `${drawn.renderToSVGString()}\n`);
  drawn.dispose();
}
