import { type Credential, claimsOf } from '../contract/credential';

/** Identifiers of the workspaces of credentials, where they have one and the claims of their tokens do not say so. */
const workspaces = new WeakMap<Credential, string>();

/** The workspace that a credential is bound to; of a session that another process has obtained, its token's claims tell it. */
export function workspaceOf(credential: Credential): string | undefined {
  return workspaces.get(credential) ?? idOf(claimsOf(credential)?.['workspace']);
}

/** Notes the workspace that the server has named. */
export function keepWorkspace(credential: Credential, id: string | undefined): void {
  if (id !== undefined && id !== workspaceOf(credential)) workspaces.set(credential, id);
}

/** The identifier of a workspace as an answer has it, or the claims of a token. */
export function idOf(workspace: unknown): string | undefined {
  if (typeof workspace === 'string') return workspace;
  return typeof workspace === 'object' && workspace !== null && '_id' in workspace ? String(workspace._id) : undefined;
}
