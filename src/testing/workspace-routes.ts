import {
  type Accounts,
  addMember,
  type Invite,
  isObjectId,
  memberOf,
  objectId,
  TENANT,
  type Workspace,
} from './accounts';
import { type Answer, json, refusal } from './answers';
import type { AuthGuards } from './auth-guards';
import { isText, setCookie } from './auth-routes';
import type { Caller } from './authentication';
import type { Handle, Route, WireRequest } from './routing';
import { serverNow } from './server-clock';
import type { Sessions } from './sessions';
import { encryptedRoutes } from './user-routes';

interface WorkspaceServices extends AuthGuards {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
}

const unreadable = refusal(500, 'failed to load workspace data');

/** Workspaces, their members, and the invitations to them. */
export function workspaceRoutes(services: WorkspaceServices): Route[] {
  const { accounts, sessions, signedIn, privileged } = services;
  const all = '/api/workspaces';
  const one = `${all}/:id`;

  /** For members of the workspace in the path, and for the privileged. */
  const inWorkspace = (handle: (workspace: Workspace, caller: Caller, request: WireRequest) => Answer): Handle =>
    signedIn((caller, request, { id = '' }) => {
      const workspace = accounts.workspace(id);
      if (workspace === undefined || !(caller.isPrivileged || memberOf(workspace, caller.claims.sub))) {
        // The database refuses to look for what is no id.
        return workspace !== undefined || isObjectId(id)
          ? json(404, { message: 'workspace not found', from: 'get-workspace' })
          : unreadable;
      }
      return handle(workspace, caller, request);
    }, unreadable);

  /** For the admins among the members, and for the privileged. */
  const asAdmin = (handle: (workspace: Workspace, caller: Caller, request: WireRequest) => Answer): Handle =>
    inWorkspace((workspace, caller, request) =>
      isAdmin(workspace, caller) ? handle(workspace, caller, request) : refusal(403, 'not authorized'),
    );

  return [
    [
      'GET',
      all,
      signedIn(
        ({ claims }) => {
          const mine = accounts.workspaces().flatMap((workspace) => {
            const member = memberOf(workspace, claims.sub);
            if (member === undefined) return [];
            const { _id, name } = workspace;
            return [{ _id, tenant: TENANT, name, members: [member], isPrivilegedUser: member.roles.includes('admin') }];
          });
          return json(200, mine);
        },
        refusal(500, 'Failed to load workspaces'),
      ),
    ],
    [
      'GET',
      `${all}/all`,
      privileged(
        (_caller, { query }) => {
          const ids = query.get('_id')?.split(',');
          const found = accounts.workspaces().filter(({ _id }) => ids?.includes(_id) ?? true);
          return json(
            200,
            found.map(({ _id, name, labels }) => ({ _id, tenant: TENANT, name, labels })),
          );
        },
        refusal(500, 'Failed to load workspaces'),
      ),
    ],
    [
      'POST',
      all,
      signedIn(
        ({ claims }, { body }) => {
          const { name, labels, invites } = body;
          if (!isText(name)) return refusal(500, 'failed to create workspace');
          const workspace = accounts.addWorkspace({ name, labels: texts(labels) });
          addMember(workspace, claims.sub, ['admin', 'user']);
          workspace.invites = invitesFrom(invites);
          const { _id, created, members } = workspace;
          return json(200, {
            name,
            tenant: TENANT,
            members,
            labels: workspace.labels,
            invites: workspace.invites,
            _id,
            created,
            __v: 0,
          });
        },
        refusal(500, 'failed to create workspace'),
      ),
    ],
    [
      'GET',
      one,
      inWorkspace((workspace, caller) => {
        const { members, invites } = workspace;
        return json(200, { ...seenBy(caller, workspace), ...(isAdmin(workspace, caller) && { members, invites }) });
      }),
    ],
    [
      'PUT',
      one,
      asAdmin((workspace, caller, { body }) => {
        const { name, invites, labels, members } = body;
        if (isText(name)) workspace.name = name;
        if (invites !== undefined) workspace.invites = invitesFrom(invites);
        if (caller.isPrivileged) {
          if (labels !== undefined) workspace.labels = texts(labels);
          if (members !== undefined) {
            if (!Array.isArray(members)) return refusal(400, 'Invalid data. Must be an array.');
            if (members.length === 0) return refusal(400, 'Members cannot be empty.');
            workspace.members = [];
            for (const { user, roles } of members) addMember(workspace, String(user), texts(roles));
          }
        }
        return json(200, {
          ...seenBy(caller, workspace),
          ...(invites !== undefined && { invites: workspace.invites }),
        });
      }),
    ],
    [
      'DELETE',
      one,
      asAdmin((workspace, caller) => {
        if (caller.claims.workspace?._id === workspace._id) {
          return refusal(400, 'You cannot remove your active workspace.');
        }
        accounts.removeWorkspace(workspace._id);
        return json(200, seenBy(caller, workspace));
      }),
    ],
    [
      'GET',
      `${one}/members`,
      asAdmin(({ members }) => {
        const found = members.flatMap((member) => {
          const user = accounts.user(member.user);
          if (user === undefined) return [];
          const { email, firstName, lastName } = user;
          // Recorded by source: the `_id` is that of the membership, and `user` that of the user.
          return [{ email, firstName, lastName, ...member }];
        });
        return json(200, found);
      }),
    ],
    [
      'POST',
      `${one}/activate`,
      inWorkspace((workspace, caller, request) => {
        const user = accounts.user(caller.claims.sub);
        // The active workspace is a matter of the cookie: the server exchanges it, and fails where there is none.
        if (caller.via !== 'cookie' || user === undefined) return refusal(500, 'failed to activate workspace');
        sessions.endCookie(caller.claims);
        const { _id, name, labels } = workspace;
        const roles = memberOf(workspace, user._id)?.roles ?? ['admin'];
        const cookie = sessions.issueCookie(user, { _id, name, roles, labels });
        return json(200, seenBy(caller, workspace), {
          'set-cookie': setCookie(request, cookie, sessions.cookieSeconds),
        });
      }),
    ],
    ...encryptedRoutes({ privileged }, one, (id) => accounts.workspace(id) !== undefined),
    ...inviteRoutes(services),
  ];
}

/** The invitations to the caller, who is known by the e-mail address. */
function inviteRoutes({ accounts, signedIn }: WorkspaceServices): Route[] {
  const path = '/api/invites';
  const isFor = ({ claims }: Caller, { invites }: Workspace) => invites.some(({ email }) => email === claims.email);
  return [
    [
      'GET',
      path,
      signedIn(
        (caller) => {
          const inviting = accounts.workspaces().filter((workspace) => isFor(caller, workspace));
          return json(
            200,
            inviting.map(({ _id, name }) => ({ _id, name })),
          );
        },
        refusal(500, 'failed to retrieve invites list'),
      ),
    ],
    [
      'POST',
      path,
      signedIn(
        (caller, { body }) => {
          const { workspace: id, kind = 'decline' } = body;
          const { sub, email } = caller.claims;
          if (!id) return refusal(400, 'missing workspaceId');
          if (kind !== 'accept' && kind !== 'decline') {
            return refusal(400, 'respond kind should be either "accept" or "decline"');
          }
          const workspace = accounts.workspace(String(id));
          if (workspace === undefined || !isFor(caller, workspace)) {
            return json(404, { message: 'workspace not found', email, workspaceId: id, from: 'invite-respond' });
          }
          workspace.invites = workspace.invites.filter((invite) => invite.email !== email);
          if (kind === 'accept') addMember(workspace, sub, ['member', 'user']);
          return json(200, { success: true });
        },
        refusal(500, 'failed to respond to invite'),
      ),
    ],
  ];
}

const isAdmin = (workspace: Workspace, { isPrivileged, claims }: Caller): boolean =>
  isPrivileged || memberOf(workspace, claims.sub)?.roles.includes('admin') === true;

/** As a query of the database brings it: without members for the privileged, with the caller alone for others. */
function seenBy({ isPrivileged, claims }: Caller, workspace: Workspace): object {
  const { _id, name, labels } = workspace;
  const member = isPrivileged ? undefined : memberOf(workspace, claims.sub);
  return { _id, name, ...(member !== undefined && { members: [member] }), labels };
}

function invitesFrom(value: unknown): Invite[] {
  if (!Array.isArray(value)) return [];
  return value.map(({ email, name, roles }: Partial<Invite>) => ({
    email: String(email),
    ...(name !== undefined && { name }),
    roles: roles?.length ? roles : ['member'],
    _id: objectId(),
    created: new Date(serverNow()),
  }));
}

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
