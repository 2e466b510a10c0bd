import { isPrivileged, objectId, TENANT } from './accounts';
import { empty, errorPage, json, refusal } from './answers';
import { blueprintRoutes } from './blueprint-routes';
import type { Params, Route, WireRequest } from './routing';
import { serverNow } from './server-clock';
import { forRoles, type HandleKnown, type HandleService } from './services';

/** What the SDK calls of the services behind the gateway, in memory. */
export function serviceRoutes(): Route<HandleService>[] {
  return [
    ...blueprintRoutes(),
    ...blockRoutes(),
    ...integrationRoutes(),
    ...lambdaRoutes(),
    // Recorded, though the SDK calls it.
    ['GET', '/api/roles', (_caller, { method, path }) => errorPage(404, `Cannot ${method} ${path}`)],
  ];
}

interface Stored extends Readonly<Record<string, unknown>> {
  readonly _id: string;
}

/** A new document as the database keeps it. */
function stored(fields: object): Stored {
  return { ...fields, tenant: TENANT, _id: objectId(), created: new Date(serverNow()), __v: 0 };
}

/** What a body may change of a document. */
function changed(document: Stored, { _id, tenant, created, __v, ...changes }: WireRequest['body']): Stored {
  return { ...document, ...changes };
}

/** Blocks of content. One of them anybody may read. */
function blockRoutes(): Route<HandleService>[] {
  const blocks = new Map<string, Stored>();
  const all = '/api/blocks';
  const one = `${all}/:id`;
  const missing = refusal(404, 'block not exists');
  const editing = (handle: HandleKnown) => forRoles(isPrivileged, refusal(401, 'you are not authorized'), handle);
  return [
    ['GET', all, editing(() => json(200, [...blocks.values()]))],
    [
      'POST',
      all,
      editing((_caller, { body: { name, description, content, contentType } }) => {
        if (!name) return refusal(500, 'error while creating block, try again');
        return json(200, added(blocks, { name, description, contentType, content }));
      }),
    ],
    [
      'GET',
      one,
      (_caller, _request, { id = '' }) => {
        const block = blocks.get(id);
        return block === undefined ? missing : json(200, block);
      },
    ],
    [
      'PUT',
      one,
      editing((_caller, { body }, { id = '' }) => {
        const block = blocks.get(id);
        return block === undefined ? missing : json(200, replaced(blocks, changed(block, body)));
      }),
    ],
    [
      'DELETE',
      one,
      editing((_caller, _request, { id = '' }) =>
        blocks.delete(id) ? json(200, { acknowledged: true, deletedCount: 1 }) : missing,
      ),
    ],
  ];
}

/** Integrations, and the webhooks that call them: such a call is answered with the body it came with. */
function integrationRoutes(): Route<HandleService>[] {
  const integrations = new Map<string, Stored>();
  const all = '/api/integrations';
  const one = `${all}/:id`;
  const missing = refusal(404, 'integration not found');
  const mayIntegrate = (roles: readonly string[]) => isPrivileged(roles) || roles.includes('plugin');
  const integrating = (handle: HandleKnown) => forRoles(mayIntegrate, empty(401), handle);
  const call: HandleService = (_caller, { body }, { id = '' }) =>
    integrations.has(id) ? json(200, body) : refusal(404, 'Integration not found');
  return [
    ['GET', all, integrating(() => json(200, [...integrations.values()]))],
    [
      'POST',
      all,
      integrating(({ claims }, { body: { trigger, target, dataManipulation = [], active = true } }) => {
        if (!trigger || !target) return refusal(400, 'trigger and target are required');
        return json(200, added(integrations, { user: claims.sub, trigger, target, dataManipulation, active }));
      }),
    ],
    [
      'GET',
      one,
      integrating((_caller, _request, { id = '' }) => {
        const integration = integrations.get(id);
        return integration === undefined ? missing : json(200, integration);
      }),
    ],
    [
      'PUT',
      one,
      integrating((_caller, { body }, { id = '' }) => {
        const integration = integrations.get(id);
        return integration === undefined ? missing : json(200, replaced(integrations, changed(integration, body)));
      }),
    ],
    [
      'DELETE',
      one,
      integrating((_caller, _request, { id = '' }) => {
        const integration = integrations.get(id);
        integrations.delete(id);
        return integration === undefined ? missing : json(200, integration);
      }),
    ],
    ...['GET', 'POST', 'PUT', 'DELETE'].map((method) => [method, '/api/webhooks/:id', call] as const),
  ];
}

/** The functions of an integration source. Every source exists, and is empty at first. */
function lambdaRoutes(): Route<HandleService>[] {
  const functions = new Map<string, object>();
  const all = '/api/lambdas/:source';
  const one = `${all}/:name`;
  const key = ({ source, name }: Params) => `${source}/${name}`;
  const missing = refusal(404, 'Function not found');
  const managing = (handle: HandleKnown) => forRoles(isPrivileged, empty(401), handle);
  return [
    [
      'GET',
      all,
      managing((_caller, _request, { source }) =>
        json(
          200,
          [...functions].filter(([name]) => name.startsWith(`${source}/`)).map(([, found]) => found),
        ),
      ),
    ],
    [
      'POST',
      all,
      managing((_caller, { body }, { source = '' }) => {
        const name = body['FunctionName'] ?? body['name'];
        if (!name) return refusal(400, 'Invalid function name');
        functions.set(key({ source, name: String(name) }), body);
        return json(201, body);
      }),
    ],
    [
      'GET',
      one,
      managing((_caller, _request, params) => {
        const found = functions.get(key(params));
        return found === undefined ? missing : json(200, found);
      }),
    ],
    [
      'PUT',
      one,
      managing((_caller, { body }, params) => {
        const found = functions.get(key(params));
        if (found === undefined) return missing;
        functions.set(key(params), { ...found, ...body });
        return json(200, { ...found, ...body });
      }),
    ],
    ['DELETE', one, managing((_caller, _request, params) => (functions.delete(key(params)) ? empty(204) : missing))],
  ];
}

function added(documents: Map<string, Stored>, fields: object): Stored {
  return replaced(documents, stored(fields));
}

function replaced(documents: Map<string, Stored>, document: Stored): Stored {
  documents.set(document._id, document);
  return document;
}
