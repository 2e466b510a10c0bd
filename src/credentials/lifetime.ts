import { type Credential, lifetimeOf } from '../contract/credential';
import type { Clock } from './clock';

/** The credential in use and the moments, on the monotonic clock, at which its windows begin. */
export interface Held {
  readonly credential: Credential;
  /** Whether it was taken over from another process, so that nobody here has seen the server give it. */
  readonly isAdopted: boolean;
  /** What {@link wallOffsetAt} was when its request was sent: what both clocks have gone since is the same, or was not seen. */
  readonly wallOffset: number;
  readonly softAt: number;
  readonly hardAt: number;
  /** From when on a refusal may simply mean that its life was over. */
  readonly mayEndAt: number;
}

const SOFT_WINDOW = { share: 0.2, mostMs: 300_000 };
const HARD_WINDOW = { share: 0.05, mostMs: 10_000 };
/** From when on after a look at what may have replaced a credential the next one is due: in the background; before sending. */
const LOOK = { softMs: 5_000, hardMs: 30_000 };

/** An infinite life would have no beginning of its windows; a thousand years are as good. */
const MOST_LIFE_MS = 1_000 * 365 * 24 * 3_600_000;

/** By so much the two clocks may differ although nothing happened. */
const CLOCKS_DIFFER_MS = 5_000;
/** Nobody suspends a process for longer: a machine without a clock of its own has learned what day it is. */
const MOST_SUSPENDED_MS = 30 * 24 * 3_600_000;

/**
 * A moment of the monotonic clock as a credential sees it. That clock stands still while the machine is suspended (a laptop that
 * sleeps, a frozen function), and the token ages all the same: what the wall clock has gone further counts too. A wall clock
 * that was merely set forward looks alike and costs one renewal that was not due; set back, it counts for nothing.
 */
export function momentFor({ wallOffset }: Held, now: number): number {
  const unseen = wallOffsetAt({ now, wall: Date.now() }) - wallOffset;
  return unseen > CLOCKS_DIFFER_MS && unseen < MOST_SUSPENDED_MS ? now + unseen : now;
}

/** So long before the end of what nobody renews but a person, that person is told. */
export const NOTICE_MS = 14 * 24 * 3_600_000;

/** Has a configured credential of known end looked at again, in the background, when there is reason to tell of the end. */
export function giveNotice(held: Held, { now }: Moment, isConfigured: boolean): Held {
  const noticeAt = held.mayEndAt - NOTICE_MS;
  return isConfigured && now < noticeAt && noticeAt < held.softAt ? { ...held, softAt: noticeAt } : held;
}

/** A life that is unknown, or so short that it may end at any moment, has no windows: such a credential is used until refused. */
export function hold(credential: Credential, sentAt: Moment, random: number, isAdopted = false): Held {
  const known = lifetimeOf(credential);
  const life = known && Math.min(known, MOST_LIFE_MS);
  if (life === undefined) return new HeldForGood(credential, isAdopted);
  // Whole numbers take no memory of their own.
  const mayEndAt = Math.floor(sentAt.now + life);
  const wallOffset = wallOffsetAt(sentAt);
  if (!life) return { credential, isAdopted, wallOffset, softAt: Infinity, hardAt: Infinity, mayEndAt };
  const before = ({ share, mostMs }: { share: number; mostMs: number }) => Math.round(Math.min(life * share, mostMs));
  const hardAt = mayEndAt - before(HARD_WINDOW);
  const earliest = mayEndAt - before(SOFT_WINDOW);
  const softAt = Math.floor(earliest + (hardAt - earliest) * random);
  return { credential, isAdopted, wallOffset, softAt, hardAt, mayEndAt };
}

/** A credential of unknown life. There may be 100,000 of them, one for each tenant: so its moments take no memory. */
class HeldForGood implements Held {
  constructor(
    readonly credential: Credential,
    readonly isAdopted: boolean,
  ) {}

  get wallOffset(): number {
    return Number.NaN;
  }

  get softAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  get hardAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  get mayEndAt(): number {
    return Number.POSITIVE_INFINITY;
  }
}

/** One moment by both clocks. */
export interface Moment {
  /** Monotonic. */
  readonly now: number;
  readonly wall: number;
}

/** The wall clock less the monotonic one, since this process began. */
function wallOffsetAt({ now, wall }: Moment): number {
  return Math.round(wall - now - performance.timeOrigin);
}

/** This moment. */
export function moment(clock: Clock): Moment {
  return { now: clock.now(), wall: Date.now() };
}

/** A credential without windows is used until it is refused. */
export function endOf({ hardAt, mayEndAt }: Held): number {
  return hardAt === Infinity ? Infinity : mayEndAt;
}

/** A credential of unknown life that may be replaced is looked at again soon; until then, and if that fails, it serves on. */
export function lookAgain(held: Held, at: Moment): Held {
  const { credential, isAdopted, mayEndAt } = held;
  const { now } = at;
  const wallOffset = wallOffsetAt(at);
  return { credential, isAdopted, wallOffset, softAt: now + LOOK.softMs, hardAt: now + LOOK.hardMs, mayEndAt };
}

/** Whether nothing was left of a stored credential's life when it was read; only then is it worth nothing. */
export function hasEnded(stored: Credential): boolean {
  return stored.expiresAt !== undefined && lifetimeOf(stored) === 0;
}

/**
 * How far this machine's clock is ahead of the server's, by a credential that it has just given; in milliseconds. Differences
 * of the size of a slow answer count for nothing.
 */
export function clockErrorOf(obtained: Credential): number {
  const life = lifetimeOf(obtained);
  if (life === undefined || obtained.expiresAt === undefined) return 0;
  const aheadMs = obtained.obtainedAt.getTime() + life - obtained.expiresAt.getTime();
  return Math.abs(aheadMs) > CLOCKS_DIFFER_MS ? aheadMs : 0;
}
