import { resolveUrl } from './origin';

/** Who asks which server. */
export interface Asked {
  /** Undefined where the library asks by itself. */
  readonly strategy?: string | undefined;
  readonly host: string;
  /** The setting that the server's address is from, where the library knows it. */
  readonly setting?: string | undefined;
}

/** Whom bare clients, and the errors of their requests, are about: neither shows anything of how it was sent. */
const known = new WeakMap<object, Asked>();

/** Which servers have not answered yet, for each attempt, which is known by its signal. */
const awaited = new WeakMap<AbortSignal, Set<Asked>>();

/** Notes whom a client or an error is about. */
export function noteAsked<T extends object>(about: T, asked: Asked): T {
  known.set(about, asked);
  return about;
}

/** Whom a client asks, or an error is about; of an error of somebody else's client, as far as its config says it. */
export function askedBy(about: object, strategy: string): Partial<Asked> {
  return known.get(about) ?? { strategy, ...hostOf(about) };
}

function hostOf(about: object): { host?: string } {
  try {
    const { config } = about as { config?: object };
    return config ? { host: new URL(resolveUrl(config)).host } : {};
  } catch {
    return {};
  }
}

/** Sends, and notes meanwhile for whom the attempt waits. */
export async function whileAwaited<T>(signal: AbortSignal, asked: Asked, send: () => Promise<T>): Promise<T> {
  const servers = awaited.get(signal) ?? new Set();
  awaited.set(signal, servers.add(asked));
  try {
    return await send();
  } finally {
    servers.delete(asked);
  }
}

/** The server that an attempt has been waiting for the longest; undefined if it waits for none that the library knows. */
export function awaitedBy(signal: AbortSignal): Asked | undefined {
  return awaited.get(signal)?.values().next().value;
}
