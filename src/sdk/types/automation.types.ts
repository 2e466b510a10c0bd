import type { QelosApi, QelosTimestamp, RequestExtra } from './base.types';

/** A call of a lambda. The SDK turns `body` of `post` and `put` into JSON: pass the value itself. */
export type LambdaRequest = Omit<RequestInit, 'body'> & { body?: unknown };

/** `sdk.lambdas`: runs the functions behind API webhooks. */
export interface QlLambdas extends QelosApi {
  execute(integrationId: string, data?: RequestInit): Promise<unknown>;
  get(integrationId: string, data?: RequestInit): Promise<unknown>;
  post(integrationId: string, data?: LambdaRequest): Promise<unknown>;
  put(integrationId: string, data?: LambdaRequest): Promise<unknown>;
  delete(integrationId: string, data?: RequestInit): Promise<unknown>;
}

/** `sdk.manageLambdas`: administration of the functions of an integration source. */
export interface QlManageLambdas extends QelosApi {
  getList(sourceId: string): Promise<unknown>;
  getLambda(sourceId: string, functionName: string): Promise<unknown>;
  create(sourceId: string, data: any): Promise<unknown>;
  update(sourceId: string, functionName: string, data: any): Promise<unknown>;
  /** Resolves whatever the status is: check `ok`. */
  remove(sourceId: string, functionName: string): Promise<Response>;
}

/** Something that happened on the instance. */
export interface IQelosEvent {
  tenant: string;
  user?: string;
  source: string;
  kind: string;
  eventName: string;
  description: string;
  metadata?: any;
  created: QelosTimestamp;
}

/** `sdk.events`: the instance's event log. */
export interface QlEvents extends QelosApi {
  getList(params?: {
    page?: number;
    kind?: string;
    eventName?: string;
    source?: string;
    user?: string;
    workspace?: string;
    period?: string;
  }): Promise<IQelosEvent[]>;
  getEvent(eventId: string): Promise<IQelosEvent>;
  /** Resolves whatever the status is. To learn whether the event was taken, send it with `callJsonApi`. */
  dispatch(payload: Partial<IQelosEvent>): Promise<void>;
}

/** A service that integrations talk to, with its secrets withheld. Only what plugins commonly read is named here. */
export interface IIntegrationSource {
  _id?: string;
  name: string;
  kind: string;
  labels: string[];
  metadata: any;
  [key: string]: any;
}

/** The part of an integration source that can be written. */
export interface IIntegrationSourceRequest {
  name: string;
  labels: string[];
  metadata: any;
  authentication: any;
  [key: string]: any;
}

/** `sdk.integrationSources`: the services that integrations talk to. */
export interface QlIntegrationSources extends QelosApi {
  getIntegrationSource(sourceId: string, extra?: RequestExtra): Promise<IIntegrationSource>;
  getList(query?: { kind?: string }, extra?: RequestExtra): Promise<IIntegrationSource[]>;
  /** Resolves whatever the status is: check `ok`. */
  remove(sourceId: string): Promise<Response>;
  update(sourceId: string, changes: Partial<IIntegrationSourceRequest>): Promise<IIntegrationSource>;
  create(source: IIntegrationSourceRequest): Promise<IIntegrationSource>;
}

/** What starts something, and what it starts. Only what plugins commonly read is named here. */
export interface IIntegration {
  _id: string;
  active?: boolean;
  trigger: any;
  target: any;
  [key: string]: any;
}

/** `sdk.integrations`: triggers and what they start. */
export interface QlIntegrations extends QelosApi {
  getIntegration(integrationId: string, extra?: RequestExtra): Promise<IIntegration>;
  getList(
    query?: {
      plugin?: string;
      user?: string;
      'trigger.source'?: string;
      'target.source'?: string;
      'trigger.kind'?: string;
      'target.kind'?: string;
      kind?: string;
      source?: string;
      active?: boolean;
      id?: string;
      _id?: string;
    },
    extra?: RequestExtra,
  ): Promise<IIntegration[]>;
  /** Resolves whatever the status is: check `ok`. */
  remove(integrationId: string): Promise<Response>;
  update(
    integrationId: string,
    changes: { active?: boolean; trigger?: any; target?: any; dataManipulation?: any },
  ): Promise<IIntegration>;
  create(integration: { trigger: any; target: any; dataManipulation?: any; active?: boolean }): Promise<IIntegration>;
}

/** A plugin as the instance knows it. Only what plugins commonly read is named here. */
export interface IPlugin {
  name: string;
  description?: string;
  apiPath: string;
  manifestUrl: string;
  [key: string]: any;
}

/** `sdk.managePlugins`: administration of the plugins. */
export interface QlManagePlugins extends QelosApi {
  create(pluginData: IPlugin): Promise<IPlugin>;
  update(pluginId: string, pluginData: Partial<IPlugin>): Promise<IPlugin>;
  /** Resolves whatever the status is. */
  remove(pluginId: string): Promise<void>;
  getList(): Promise<IPlugin[]>;
  getById(pluginId: string): Promise<IPlugin>;
}
