import type { QelosApi, QelosTimestamp } from './base.types';

export interface IWorkspaceMember {
  /** Id of the user. */
  user: string;
  roles: string[];
  created?: QelosTimestamp;
}

/** An invitation as the workspace lists it. The invited user's view of it is `IInvite`. */
export interface IWorkspaceInvite {
  name?: string;
  email: string;
  created?: QelosTimestamp;
}

export interface IWorkspace {
  name: string;
  logo?: string;
  isPrivilegedUser?: boolean;
  members?: IWorkspaceMember[];
  invites?: IWorkspaceInvite[];
  labels: string[];
  [key: string]: any;
}

/** `sdk.workspaces`: the signed-in user's workspaces. */
export interface QlWorkspaces extends QelosApi {
  getWorkspace(workspaceId: string): Promise<IWorkspace>;
  getMembers(workspaceId: string): Promise<IWorkspaceMember[]>;
  getList(): Promise<IWorkspace[]>;
  /** Resolves whatever the status is: check `ok`. */
  remove(workspaceId: string): Promise<Response>;
  update(workspaceId: string, changes: Partial<IWorkspace>): Promise<IWorkspace>;
  create(workspace: Partial<IWorkspace> & { name: string }): Promise<IWorkspace>;
  activate(workspaceId: string): Promise<IWorkspace>;
}

/** `sdk.adminWorkspaces`: everybody's workspaces. */
export interface QlAdminWorkspaces extends QelosApi {
  getList(filters?: {
    'members.user'?: string;
    labels?: string[];
    name?: string;
    q?: string;
    _id?: string[];
    select?: string;
  }): Promise<IWorkspace[]>;
  getEncryptedData<Z = any>(workspaceId: string, encryptedId?: string): Promise<Z>;
  setEncryptedData<Z = any>(workspaceId: string, encryptedId: string, data: Z): Promise<void>;
}

/** An invitation as the invited user sees it. */
export interface IInvite {
  workspace: { _id: string; name: string; logo?: string };
}

/** `sdk.invites`: invitations of the signed-in user. Accepting and declining resolve with the answer, whatever its status. */
export interface QlInvites extends QelosApi {
  getList(): Promise<IInvite[]>;
  acceptWorkspace(workspaceId: string): Promise<unknown>;
  declineWorkspace(workspaceId: string): Promise<unknown>;
}
