export type { Membership as QelosServerMembership } from './accounts';
export { type AuthStrategySuite, describeAuthStrategy, type OfflineAuthStrategySuite } from './describe-auth-strategy';
export type { QelosServerFault } from './faults';
export {
  type QelosServer,
  type QelosServerOptions,
  type QelosServerUser,
  type QelosServerUserOptions,
  type QelosServerWorkspaceOptions,
  startQelosServer,
} from './qelos-server';
export type { RequestFilter as QelosServerRequestFilter } from './request-log';
export type { AuthStrategyServer, OfflineStrategyUnderTest, StrategyUnderTest } from './strategy-under-test';
