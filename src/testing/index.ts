export type { Membership as QelosServerMembership } from './accounts';
export type {
  AuthStrategyServer,
  StrategyObstacle,
  StrategyUnderTest,
  StrategyUnderTestWithout,
} from './contract/strategy-under-test.types';
export { type AuthStrategySuite, describeAuthStrategy } from './describe-auth-strategy';
export type { QelosServerFault } from './faults';
export { type MockQelosAuthOptions, mockQelosAuth, staticStrategy } from './mock-qelos-auth';
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
