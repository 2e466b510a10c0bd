import { type Answer, refusal } from './answers';
import type { AuthServiceState } from './auth-service-state';
import type { Authentication, Caller } from './authentication';
import type { Handle, Params, WireRequest } from './routing';

export type HandleCaller = (caller: Caller, request: WireRequest, params: Params) => Answer | Promise<Answer>;

/** What stands before the routes of the auth service. */
export interface AuthGuards {
  /**
   * For callers who are signed in.
   *
   * @param withoutDatabase the answer while the database does not carry anything out; left out, it makes no difference
   */
  signedIn(handle: HandleCaller, withoutDatabase?: Answer): Handle;
  /** For callers with a privileged role. The real answer to others is 401, though 403 is documented. */
  privileged(handle: HandleCaller, withoutDatabase?: Answer): Handle;
}

export function createAuthGuards(authentication: Authentication, state: AuthServiceState): AuthGuards {
  const signedIn: AuthGuards['signedIn'] = (handle, withoutDatabase) => async (request, params) => {
    const verdict = await authentication.judge(request.headers);
    if ('refused' in verdict) return verdict.refused;
    if ('anonymous' in verdict) return refusal(401, 'you are not authorized. must be logged in.');
    const { caller } = verdict;
    const reached = await state.reachDatabase();
    return reached || withoutDatabase === undefined ? handle(caller, request, params) : withoutDatabase;
  };
  return {
    signedIn,
    privileged: (handle, withoutDatabase) =>
      signedIn(
        (caller, request, params) =>
          caller.isPrivileged ? handle(caller, request, params) : refusal(401, 'you are not privileged.'),
        withoutDatabase,
      ),
  };
}
