import { type Accounts, TENANT, type User } from './accounts';
import { json, refusal } from './answers';
import type { AuthGuards } from './auth-guards';
import { change, isText } from './auth-routes';
import type { Route, WireRequest } from './routing';

/** The users, for those who are privileged. */
export function userRoutes({ accounts, privileged }: AuthGuards & { readonly accounts: Accounts }): Route[] {
  const one = '/api/users/:id';
  return [
    ['GET', '/api/users', privileged((_caller, { query }) => json(200, listed(accounts, query)), json(200, []))],
    [
      'POST',
      '/api/users',
      privileged(
        (_caller, { body }) => {
          const { username, password, roles, firstName, lastName, metadata, internalMetadata } = body;
          if (!isText(username) || !isText(password) || accounts.userNamed(username) !== undefined) {
            return refusal(400, 'user creation failed');
          }
          const user = accounts.addUser({
            username,
            password,
            roles: Array.isArray(roles) ? roles.map(String) : undefined,
            firstName: isText(firstName) ? firstName : undefined,
            lastName: isText(lastName) ? lastName : undefined,
          });
          change(accounts, user, { metadata });
          addInternalMetadata(user, internalMetadata);
          return json(200, { ...publicUser(user), internalMetadata });
        },
        refusal(400, 'user creation failed'),
      ),
    ],
    [
      'GET',
      one,
      privileged(
        (_caller, _request, { id = '' }) => {
          const user = accounts.user(id);
          if (user === undefined) return refusal(404, 'user not exists');
          return json(200, { ...publicUser(user), internalMetadata: user.internalMetadata });
        },
        refusal(404, 'user not exists'),
      ),
    ],
    [
      'PUT',
      one,
      privileged(
        (_caller, { body }, { id = '' }) => {
          const user = accounts.user(id);
          if (user === undefined) return refusal(500, 'user update failed');
          const { username, roles, firstName, lastName, internalMetadata } = body;
          change(accounts, user, body);
          if (isText(username)) user.username = username;
          if (Array.isArray(roles)) user.roles = roles.map(String);
          addInternalMetadata(user, internalMetadata);
          return json(200, { username, firstName, lastName, roles, internalMetadata: user.internalMetadata, _id: id });
        },
        refusal(500, 'user update failed'),
      ),
    ],
    [
      'DELETE',
      one,
      privileged(
        (_caller, _request, { id = '' }) => {
          accounts.removeUser(id);
          return json(200, { _id: id, tenant: TENANT });
        },
        refusal(400, 'user deletion failed'),
      ),
    ],
    ...encryptedRoutes({ privileged }, one, (id) => accounts.user(id) !== undefined),
  ];
}

/** What an account keeps about a user or a workspace where only the privileged can read it. */
export function encryptedRoutes(
  { privileged }: Pick<AuthGuards, 'privileged'>,
  owner: string,
  exists: (id: string) => boolean,
): Route[] {
  const values = new Map<string, unknown>();
  const key = (id: string, { headers }: WireRequest) => `${id} ${headers['x-encrypted-id'] ?? ''}`;
  return [
    [
      'GET',
      `${owner}/encrypted`,
      privileged((_caller, request, { id = '' }) => json(200, values.get(key(id, request)) ?? null), json(200, null)),
    ],
    [
      'POST',
      `${owner}/encrypted`,
      privileged(
        (_caller, request, { id = '' }) => {
          if (!exists(id)) return refusal(400, 'failed to set encrypted data for user');
          values.set(key(id, request), request.body);
          return json(200, {});
        },
        refusal(400, 'failed to set encrypted data for user'),
      ),
    ],
  ];
}

/** All of them, or those whose names hold `username`; with `exact`, the one of that name. */
function listed(accounts: Accounts, query: URLSearchParams): object[] {
  const wanted = query.get('username')?.toLowerCase();
  const matches = ({ username }: User) =>
    wanted === undefined || (query.has('exact') ? username === wanted : username.toLowerCase().includes(wanted));
  return accounts.users().filter(matches).map(publicUser);
}

function addInternalMetadata(user: User, more: unknown): void {
  if (typeof more === 'object' && more !== null) user.internalMetadata = { ...user.internalMetadata, ...more };
}

function publicUser({ _id, username, firstName, lastName, roles }: User) {
  return { _id, username, firstName, lastName, roles };
}
