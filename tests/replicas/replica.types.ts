import type { EncryptionKey } from '../../src';

/** Between a process' getting the lock and its letting go of it. */
export type Step = 'locked' | 'read' | 'obtained' | 'saved' | 'unlocking';

/** What a replica is told. */
export interface ReplicaTask {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly timeoutMs: number;
  readonly store:
    | { readonly kind: 'file'; readonly path: string; readonly encryptionKey: EncryptionKey }
    | {
        readonly kind: 'redis';
        readonly url: string;
        readonly encryptionKey: EncryptionKey;
        readonly over: 'ioredis' | 'redis';
      };
  readonly callers: number;
  /** Each caller's, between its calls, on average. */
  readonly pauseMs: number;
  readonly runMs: number;
  /** How far its wall clock is ahead. */
  readonly clockErrorMs?: number | undefined;
  /** What happens to it while it holds the lock. */
  readonly end?: { readonly step: Step; readonly signal: 'SIGKILL' | 'SIGSTOP'; readonly afterMs: number } | undefined;
}

/** How a replica fared. */
export interface ReplicaReport {
  calls: number;
  failures: string[];
  signIns: number;
  refreshes: number;
  adoptions: number;
  /** By operation and reason. */
  storeFailures: Record<string, number>;
}
