import { type Answer, empty, refusal } from './answers';
import type { Caller } from './authentication';
import type { Params, WireRequest } from './routing';

/** Services know who is calling from the gateway alone: nobody, if it was not told. */
export type HandleService = (
  caller: Caller | undefined,
  request: WireRequest,
  params: Params,
) => Answer | Promise<Answer>;

export type HandleKnown = (caller: Caller, request: WireRequest, params: Params) => Answer;

/** For callers with one of the roles. Others are refused as those whom the service does not know. */
export const forRoles =
  (allowed: (roles: readonly string[]) => boolean, refused: Answer, handle: HandleKnown): HandleService =>
  (caller, request, params) =>
    caller !== undefined && allowed(caller.claims.roles) ? handle(caller, request, params) : refused;

const under = (...names: string[]): RegExp => new RegExp(`^/api/(${names.join('|')})(/|$)`, 'i');

/** The paths of the auth service. */
export const AUTH_PATHS = /^\/(api\/(signin|signup|token|me|users|logout|invites|workspaces|auth)|\.well-known)(\/|$)/i;

/** The other services by their paths, and what each answers those whom it does not know. */
const SERVICES: readonly { readonly paths: RegExp; readonly refused: Answer }[] = [
  {
    paths: under('blocks', 'configurations', 'tenants-configurations'),
    refused: refusal(401, 'you are not authorized'),
  },
  {
    paths: under('plans', 'subscriptions', 'invoices', 'coupons', 'checkout', 'payments'),
    refused: refusal(401, 'authentication required'),
  },
  {
    paths: under(
      ...['blueprints', 'components', 'static', 'drafts', 'assets', 'storage', 'upload', 'ai', 'plugins', 'on'],
      ...['events', 'integrations', 'integration-sources', 'data-manipulation', 'lambdas', 'webhooks'],
    ),
    refused: empty(401),
  },
];

/** What the service of this path answers those whom it does not know. Undefined if no service has it. */
export const refusedBy = (path: string): Answer | undefined => SERVICES.find(({ paths }) => paths.test(path))?.refused;
