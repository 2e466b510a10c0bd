export type { Membership as QelosServerMembership } from './accounts';
export { type AuthStrategySuite, describeAuthStrategy } from './describe-auth-strategy';
export type { QelosServerFault } from './faults';
export { startQelosServer } from './qelos-server';
export type {
  QelosServer,
  QelosServerCall,
  QelosServerHandler,
  QelosServerOptions,
  QelosServerReply,
  QelosServerUser,
  QelosServerUserOptions,
  QelosServerWorkspaceOptions,
} from './qelos-server.types';
export type { ReceivedRequest as QelosServerRequest, RequestFilter as QelosServerRequestFilter } from './request-log';
export type {
  AuthStrategyServer,
  StrategyObstacle,
  StrategyUnderTest,
  StrategyUnderTestWithout,
} from './strategy-under-test.types';
