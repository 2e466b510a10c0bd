import { UsageError } from './failures';

export const DAY_MS = 24 * 60 * 60 * 1000;

const UNITS: Readonly<Record<string, number>> = { d: DAY_MS, w: 7 * DAY_MS, m: 30 * DAY_MS, y: 365 * DAY_MS };

/**
 * Reads when a token is to end: `90d`, `12w`, `6m` (of 30 days), `1y`, or a day such as `2027-06-30`, at whose start (UTC) it ends.
 *
 * @throws UsageError that says what is wrong
 */
export function readExpiry(text: string, now = Date.now()): Date {
  const [, count, unit = ''] = /^(\d{1,4})([dwmy])$/.exec(text) ?? [];
  const end = count === undefined ? dayFrom(text) : now + Number(count) * (UNITS[unit] as number);
  if (end === undefined) {
    throw new UsageError(`"${text}" is no expiry.`, 'Give a number of days such as 90d, or a date such as 2027-06-30.');
  }
  if (end <= now) throw new UsageError(`"${text}" is not in the future.`, 'Give a later one, such as 90d.');
  return new Date(end);
}

/** A day that does not exist, such as 2027-02-30, is none. */
function dayFrom(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const time = Date.parse(text);
  return !Number.isNaN(time) && dayOf(new Date(time)) === text ? time : undefined;
}

export function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** How long until a moment, in words. */
export function lifeLeft(end: Date, now = Date.now()): string {
  // A token made for 90 days a second ago has 90 days.
  const days = Math.floor((end.getTime() - now + 60_000) / DAY_MS);
  if (days >= 1) return days === 1 ? '1 day' : `${days} days`;
  const minutes = Math.max(0, Math.floor((end.getTime() - now) / 60_000));
  return minutes >= 60 ? `${Math.floor(minutes / 60)} h` : `${minutes} min`;
}
