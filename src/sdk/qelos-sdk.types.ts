/**
 * The surface of the Qelos SDK, declared here because the SDK's own declarations do not compile in a strict project.
 * They are interfaces only: `createQelosSdk` returns the real thing as `QelosAdministratorSDK`, so the compiler refuses a
 * version of the SDK that no longer offers what is written here. Where the SDK says `any`, so do these.
 */
import type { QlAI } from './types/ai.types';
import type { QlAuthentication } from './types/authentication.types';
import type {
  QlEvents,
  QlIntegrationSources,
  QlIntegrations,
  QlLambdas,
  QlManageLambdas,
  QlManagePlugins,
} from './types/automation.types';
import type { QelosApi } from './types/base.types';
import type { QlBlueprints, QlManageBlueprints } from './types/blueprints.types';
import type {
  QlAppConfigurations,
  QlBlocks,
  QlComponents,
  QlDrafts,
  QlManageConfigurations,
} from './types/content.types';
import type { QlPayments, QlPaymentsAdmin } from './types/payments.types';
import type { QlRoles, QlUsers } from './types/users.types';
import type { QlAdminWorkspaces, QlInvites, QlWorkspaces } from './types/workspaces.types';

export type * from './types/ai.types';
export type * from './types/authentication.types';
export type * from './types/automation.types';
export type * from './types/base.types';
export type * from './types/blueprints.types';
export type * from './types/content.types';
export type * from './types/payments.types';
export type * from './types/users.types';
export type * from './types/workspaces.types';

/** What the SDK offers to every user. */
export interface QelosSDK extends QelosApi {
  blocks: QlBlocks;
  appConfigurations: QlAppConfigurations;
  authentication: QlAuthentication;
  workspaces: QlWorkspaces;
  invites: QlInvites;
  blueprints: QlBlueprints;
  ai: QlAI;
  lambdas: QlLambdas;
  payments: QlPayments;
  /**
   * Sends a header with every request of this SDK instance from now on.
   *
   * @throws AuthError `ERR_AUTH_CONFIG` for `x-api-key`, `authorization` and `cookie`: an SDK has one account
   */
  setCustomHeader(key: string, value: string): void;
  removeCustomHeader(key: string): void;
}

/** The SDK, with what an administrator may do. `T` types the internal metadata of users. */
export interface QelosAdministratorSDK<T = any> extends QelosSDK {
  manageLambdas: QlManageLambdas;
  users: QlUsers<T>;
  manageConfigurations: QlManageConfigurations;
  manageBlueprints: QlManageBlueprints;
  drafts: QlDrafts;
  events: QlEvents;
  adminWorkspaces: QlAdminWorkspaces;
  roles: QlRoles;
  integrationSources: QlIntegrationSources;
  managePlugins: QlManagePlugins;
  components: QlComponents;
  integrations: QlIntegrations;
  managePayments: QlPaymentsAdmin;
  /**
   * Has the account act as another user, until `clearImpersonation`. It holds for the whole SDK instance, so for all of its
   * users; not for calls that are about another credential.
   */
  impersonateUser(userId: string, workspaceId?: string): void;
  clearImpersonation(): void;
}
