/** Which of the requests received to count. What is left out matches all. */
export interface RequestFilter {
  /** In any letter case. */
  readonly method?: string;
  /** The path without the query. */
  readonly path?: string;
  /** The status answered; a request that was reset, or is still waiting, has none. */
  readonly status?: number;
}

interface Tally {
  readonly method: string;
  readonly path: string;
  received: number;
  readonly byStatus: Map<number, number>;
}

/** Counts the requests received. Keeps no header and no body, so there is nothing secret in it. */
export class RequestLog {
  readonly #tallies = new Map<string, Tally>();

  /** Counts a request. The returned function is to be called with the status it is answered with. */
  received(method: string, path: string): (status: number) => void {
    const key = `${method} ${path}`;
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      tally = { method, path, received: 0, byStatus: new Map() };
      this.#tallies.set(key, tally);
    }
    const { byStatus } = tally;
    tally.received += 1;
    return (status) => byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  }

  count({ method, path, status }: RequestFilter = {}): number {
    let count = 0;
    for (const tally of this.#tallies.values()) {
      if (method !== undefined && tally.method !== method.toUpperCase()) continue;
      if (path !== undefined && tally.path !== path) continue;
      count += status === undefined ? tally.received : (tally.byStatus.get(status) ?? 0);
    }
    return count;
  }

  /** Starts again at none. Requests still under way are forgotten too. */
  reset(): void {
    this.#tallies.clear();
  }
}
