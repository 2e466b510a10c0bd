import { isPrivileged, objectId, TENANT } from './accounts';
import { type Answer, empty, json, refusal } from './answers';
import type { Caller } from './authentication';
import type { Params, Route, WireRequest } from './routing';
import { serverNow } from './server-clock';
import { forRoles, type HandleKnown, type HandleService } from './services';

interface Permission {
  readonly operation: string;
  readonly roleBased?: readonly string[];
}

interface Blueprint extends Readonly<Record<string, unknown>> {
  readonly identifier: string;
  readonly permissions: readonly Permission[];
}

/** An entity as the service shows it; `id` is `identifier` once more. */
interface Entity {
  readonly tenant: string;
  readonly identifier: string;
  readonly user: string;
  readonly workspace?: string | undefined;
  readonly blueprint: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly indexes: readonly string[];
  readonly created: Date;
  readonly updated: Date;
  readonly id: string;
}

type HandleEntities = (
  entities: Map<string, Entity>,
  context: { readonly caller: Caller; readonly request: WireRequest; readonly params: Params },
) => Answer;

const signedIn = () => true;

/**
 * Blueprints and their entities.
 *
 * A blueprint that nobody has created takes entities too, any metadata, and lets every signed-in user do everything: a
 * test of authentication needs no more. One that was created with `permissions` keeps to their `roleBased`. Schemas,
 * scopes and limits are not imitated.
 */
export function blueprintRoutes(): Route<HandleService>[] {
  const blueprints = new Map<string, Blueprint>();
  const entitiesOf = new Map<string, Map<string, Entity>>();
  const all = '/api/blueprints';
  const one = `${all}/:blueprint`;
  const editing = (handle: HandleKnown) => forRoles(isPrivileged, empty(401), handle);

  const update: HandleService = editing((_caller, { body }, { blueprint = '' }) => {
    const found = blueprints.get(blueprint);
    if (found === undefined) return refusal(404, 'blueprint not found');
    const { tenant, identifier, created, ...changes } = body;
    const updated = { ...found, ...changes, updated: new Date(serverNow()) };
    blueprints.set(blueprint, updated);
    return json(200, updated);
  });

  /** For those whom the blueprint permits the operation. */
  const permitted =
    (operation: string, handle: HandleEntities): HandleService =>
    (caller, request, params) => {
      // Recorded.
      if (caller === undefined) return refusal(401, 'you must be logged in to access');
      const { blueprint = '' } = params;
      if (!permits(blueprints.get(blueprint), operation, caller)) return refusal(403, 'not permitted');
      const entities = entitiesOf.get(blueprint) ?? new Map<string, Entity>();
      entitiesOf.set(blueprint, entities);
      return handle(entities, { caller, request, params });
    };

  return [
    ['GET', all, forRoles(signedIn, empty(401), () => json(200, [...blueprints.values()]))],
    [
      'GET',
      one,
      forRoles(signedIn, empty(401), (_caller, _request, { blueprint = '' }) =>
        json(200, blueprints.get(blueprint) ?? null),
      ),
    ],
    [
      'POST',
      all,
      editing((_caller, { body }) => {
        const { identifier, permissions = [] } = body;
        if (typeof identifier !== 'string' || blueprints.has(identifier)) {
          return refusal(400, 'failed to create a blueprint');
        }
        const now = new Date(serverNow());
        const created = {
          ...body,
          tenant: TENANT,
          identifier,
          permissions: permissions as Permission[],
          created: now,
          updated: now,
          _id: objectId(),
          __v: 0,
        };
        blueprints.set(identifier, created);
        return json(200, created);
      }),
    ],
    ['PUT', one, update],
    ['PATCH', one, update],
    [
      'DELETE',
      one,
      editing((_caller, _request, { blueprint = '' }) => {
        if (entitiesOf.get(blueprint)?.size) return refusal(400, 'cannot remove blueprint with existing entities');
        const removed = blueprints.get(blueprint) ?? null;
        blueprints.delete(blueprint);
        return json(200, removed);
      }),
    ],
    ...entityRoutes(`${one}/entities`, permitted),
  ];
}

function entityRoutes(
  all: string,
  permitted: (operation: string, handle: HandleEntities) => HandleService,
): Route<HandleService>[] {
  const one = `${all}/:identifier`;
  const missing = refusal(404, 'entity not found');
  return [
    ['GET', all, permitted('read', (entities, { request }) => json(200, selected([...entities.values()], request)))],
    [
      'POST',
      all,
      permitted('create', (entities, { caller: { claims }, request, params: { blueprint = '' } }) => {
        const identifier = objectId();
        const now = new Date(serverNow());
        const entity: Entity = {
          tenant: TENANT,
          identifier,
          user: claims.sub,
          workspace: claims.workspace?._id,
          blueprint,
          metadata: { ...metadataOf(request) },
          indexes: [],
          created: now,
          updated: now,
          id: identifier,
        };
        entities.set(identifier, entity);
        return json(200, entity);
      }),
    ],
    [
      'GET',
      one,
      permitted('read', (entities, { params: { identifier = '' } }) => {
        const entity = entities.get(identifier);
        return entity === undefined ? missing : json(200, entity);
      }),
    ],
    [
      'PUT',
      one,
      permitted('update', (entities, { request, params: { identifier = '' } }) => {
        const entity = entities.get(identifier);
        if (entity === undefined) return missing;
        const metadata = { ...entity.metadata, ...metadataOf(request) };
        const updated = { ...entity, metadata, updated: new Date(serverNow()) };
        entities.set(identifier, updated);
        return json(200, updated);
      }),
    ],
    [
      'DELETE',
      one,
      permitted('delete', (entities, { params: { identifier = '' } }) => {
        const entity = entities.get(identifier);
        entities.delete(identifier);
        return entity === undefined ? missing : json(200, entity);
      }),
    ],
  ];
}

function permits(blueprint: Blueprint | undefined, operation: string, { claims: { roles } }: Caller): boolean {
  if (blueprint === undefined || blueprint.permissions.length === 0 || isPrivileged(roles)) return true;
  return blueprint.permissions.some(
    (permission) =>
      permission.operation === operation &&
      (permission.roleBased ?? []).some((role) => role === '*' || roles.includes(role)),
  );
}

/**
 * By equality of fields or metadata; `$limit` and `$page` as in Qelos. A name that no entity has is no part of the
 * schema, and says nothing.
 */
function selected(entities: readonly Entity[], { query }: WireRequest): Entity[] {
  const rows = entities.map((entity) => ({
    entity,
    fields: new Map(Object.entries({ ...entity.metadata, ...entity })),
  }));
  const wanted = [...query]
    .map(([name, value]) => [name.replace(/^metadata\./, ''), value] as const)
    .filter(([name]) => rows.some(({ fields }) => fields.has(name)));
  const found = rows.filter(({ fields }) => wanted.every(([name, value]) => String(fields.get(name)) === value));
  const limit = Number(query.get('$limit')) || found.length;
  const start = ((Number(query.get('$page')) || 1) - 1) * limit;
  return found.slice(start, start + limit).map(({ entity }) => entity);
}

function metadataOf({ body: { metadata } }: WireRequest): object {
  return typeof metadata === 'object' && metadata !== null ? metadata : {};
}
