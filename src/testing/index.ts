export type { Membership as QelosServerMembership } from './accounts';
export type {
  AuthStrategyServer,
  StrategyObstacle,
  StrategyUnderTest,
  StrategyUnderTestWithout,
} from './contract/strategy-under-test.types';
export { type AuthStrategySuite, describeAuthStrategy } from './describe-auth-strategy';
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
