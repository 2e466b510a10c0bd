import { randomBytes } from 'node:crypto';
import { type Accounts, addMember, type Membership, type Workspace } from './accounts';
import type { QelosServerUser, QelosServerUserOptions } from './qelos-server.types';

export function defaultUsers(): QelosServerUserOptions[] {
  const password = () => randomBytes(12).toString('base64url');
  return [
    { username: 'admin', password: password(), roles: ['admin'] },
    { username: 'user', password: password(), roles: ['user'] },
  ];
}

/** Creates the users and their workspaces, and says what has become of them. */
export function populate(accounts: Accounts, wanted: readonly QelosServerUserOptions[]): QelosServerUser[] {
  const workspaces = new Map<string, Workspace>();
  return wanted.map(({ workspaces: memberOf = [], ...account }) => {
    const { _id, username, firstName, lastName, roles } = accounts.addUser(account);
    const memberships = memberOf.map((entry): Membership => {
      const option = typeof entry === 'string' ? { name: entry } : entry;
      const key = option._id ?? option.name;
      const workspace = workspaces.get(key) ?? accounts.addWorkspace(option);
      workspaces.set(key, workspace);
      const mine = option.roles ?? ['user'];
      addMember(workspace, _id, mine);
      return { _id: workspace._id, name: workspace.name, roles: mine, labels: workspace.labels };
    });
    return { _id, username, password: account.password, firstName, lastName, roles, workspaces: memberships };
  });
}
