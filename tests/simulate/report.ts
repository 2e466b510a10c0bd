import type { FleetCounts, FleetOptions } from './fleet';

type Row = Pick<FleetOptions, 'replicas' | 'isShared' | 'lifeMinutes'>;

const BEGIN = '<!-- npm run simulate -- --write -->';
const END = '<!-- end -->';
const HEAD = `| replicas | access tokens live | shared | sign-ins | refreshes | write conflicts | sessions stored after a day | calls | of them failed |
|---|---|---|---|---|---|---|---|---|`;

const number = (value: number) => value.toLocaleString('en-US');

/** A line of the table. */
export function rowOf({ replicas, isShared, lifeMinutes }: Row, counts: FleetCounts): string {
  const { signIns, refreshes, conflicts, storedSessions, calls, failedCalls } = counts;
  const numbers = [signIns, refreshes, conflicts, storedSessions, calls, failedCalls].map(number);
  return `| ${[number(replicas), `${lifeMinutes} min`, isShared ? 'yes' : 'no', ...numbers].join(' | ')} |`;
}

/** A document with the table in the place that it has for it. */
export function withTable(document: string, rows: readonly string[]): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END, begin);
  if (begin < 0 || end < 0) throw new Error(`there is no ${BEGIN} … ${END} in the document`);
  return `${document.slice(0, begin)}${BEGIN}\n${HEAD}\n${rows.join('\n')}\n${document.slice(end)}`;
}

const WIDTH = 720;
const LEFT = 150;
const BAR = { height: 16, gap: 4, pair: 48 };
/** So many of something fill the width: the bars are logarithmic. */
const DECADES = 5;

/** Sign-ins of a day as bars, for each size of a fleet. */
export function drawing(fleets: readonly { replicas: number; isShared: boolean; counts: FleetCounts }[]): string {
  const height = 60 + (fleets.length / 2) * BAR.pair;
  const bars = fleets.map(({ replicas, isShared, counts }, index) => {
    const y = 44 + Math.floor(index / 2) * BAR.pair + (index % 2) * (BAR.height + BAR.gap);
    const width = Math.max(2, (Math.log10(counts.signIns) / DECADES) * (WIDTH - LEFT - 80));
    const label = isShared
      ? ''
      : `<text x="${LEFT - 12}" y="${y + 22}" text-anchor="end">${number(replicas)} replicas</text>`;
    return `${label}<rect x="${LEFT}" y="${y}" width="${width.toFixed(0)}" height="${BAR.height}" fill="${isShared ? '#2f7d5b' : '#b4533c'}"/><text x="${(LEFT + width + 6).toFixed(0)}" y="${y + 12}">${number(counts.signIns)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13" role="img" aria-label="Sign-ins a day of 10 to 10,000 replicas, with and without a shared session">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="${LEFT}" y="22" font-weight="bold">Sign-ins a day (logarithmic)</text>
<rect x="${LEFT + 220}" y="11" width="12" height="12" fill="#b4533c"/><text x="${LEFT + 238}" y="22">each for itself</text>
<rect x="${LEFT + 350}" y="11" width="12" height="12" fill="#2f7d5b"/><text x="${LEFT + 368}" y="22">one shared session</text>
${bars.join('\n')}
</svg>
`;
}
