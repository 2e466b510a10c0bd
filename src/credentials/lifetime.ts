import { type Credential, lifetimeOf } from '../contract/credential';

/** The credential in use and the moments, on the monotonic clock, at which its windows begin. */
export interface Held {
  readonly credential: Credential;
  readonly softAt: number;
  readonly hardAt: number;
  /** From when on a refusal may simply mean that its life was over. */
  readonly mayEndAt: number;
  /** Whether another process obtained it, so that its being refused proves nothing about renewing. */
  readonly isAdopted?: true;
}

const SOFT_WINDOW = { share: 0.2, mostMs: 300_000 };
const HARD_WINDOW = { share: 0.05, mostMs: 10_000 };
/** From when on after a look at what may have replaced a credential the next one is due: in the background; before sending. */
const LOOK = { softMs: 5_000, hardMs: 30_000 };

/** A life that is unknown, or so short that it may end at any moment, has no windows: such a credential is used until refused. */
export function hold(credential: Credential, sentAt: number, random: number): Held {
  const life = lifetimeOf(credential);
  const mayEndAt = life === undefined ? Number.POSITIVE_INFINITY : sentAt + life;
  if (!life) return { credential, softAt: Infinity, hardAt: Infinity, mayEndAt };
  const before = ({ share, mostMs }: { share: number; mostMs: number }) => Math.min(life * share, mostMs);
  const hardAt = mayEndAt - before(HARD_WINDOW);
  const earliest = mayEndAt - before(SOFT_WINDOW);
  return { credential, softAt: earliest + (hardAt - earliest) * random, hardAt, mayEndAt };
}

/** A credential without windows is used until it is refused. */
export function endOf({ hardAt, mayEndAt }: Held): number {
  return hardAt === Infinity ? Infinity : mayEndAt;
}

/** A credential of unknown life that may be replaced is looked at again soon; until then, and if that fails, it serves on. */
export function lookAgain(held: Held, lookedAt: number): Held {
  return { ...held, softAt: lookedAt + LOOK.softMs, hardAt: lookedAt + LOOK.hardMs };
}

/** Whether a stored credential is past its end by this machine's clock; only then is it worth nothing. */
export function hasEnded({ expiresAt }: Credential): boolean {
  return expiresAt !== undefined && expiresAt.getTime() <= Date.now();
}
