import type { QelosApi, QelosTimestamp, RequestExtra } from './base.types';

/** A data model of the instance. Only what plugins commonly read is named here. */
export interface IBlueprint {
  /** The key that `entitiesOf` takes. */
  identifier: string;
  name: string;
  description?: string;
  /** Property descriptions by property name. */
  properties: Record<string, any>;
  [key: string]: any;
}

/** What each entity has besides the properties of its blueprint. */
export interface IBaseBlueprintEntity {
  identifier: string;
  user?: string;
  workspace?: string;
  tenant?: string;
  created: QelosTimestamp;
  updated: QelosTimestamp;
  metadata: any;
}

/** Narrows a list of entities: any property of the blueprint, and these. */
export interface IEntityQuery {
  $sort?: string;
  $limit?: number;
  $page?: number;
  $populate?: boolean;
  $flat?: boolean;
  [property: string]: any;
}

/** `sdk.blueprints.entitiesOf(key)`: the entities of one blueprint, typed by `T`. */
export interface QlBlueprintEntities<T = any> extends QelosApi {
  getEntity(identifier: string, extra?: RequestExtra): Promise<IBaseBlueprintEntity & T>;
  getList(query?: IEntityQuery, extra?: RequestExtra): Promise<(IBaseBlueprintEntity & T)[]>;
  /** Resolves whatever the status is: check `ok`. */
  remove(identifier: string, extra?: RequestExtra): Promise<Response>;
  update(
    identifier: string,
    changes: Partial<T & IBaseBlueprintEntity>,
    extra?: RequestExtra,
  ): Promise<IBaseBlueprintEntity & T>;
  /** The instance fills in whatever `IBaseBlueprintEntity` names and `entity` leaves out. */
  create(entity: T & Partial<IBaseBlueprintEntity>, extra?: RequestExtra): Promise<IBaseBlueprintEntity & T>;
}

/** `sdk.blueprints`: data models, their entities, and figures over them. */
export interface QlBlueprints extends QelosApi {
  getBlueprint(key: string): Promise<IBlueprint>;
  getList(): Promise<IBlueprint[]>;
  entitiesOf<T = any>(blueprintKey: string): QlBlueprintEntities<T>;
  getChart(blueprintKey: string, chartType: string, query?: Record<string, any>): Promise<Record<string, any>>;
  getPieChart(blueprintKey: string, query?: Record<string, any>): Promise<Record<string, any>>;
  getCount(blueprintKey: string, query?: Record<string, any>): Promise<{ count: number }>;
  getSum(
    blueprintKey: string,
    sumProperty: string,
    groupByProperty?: string,
    query?: Record<string, any>,
  ): Promise<{ sum: number; groups?: { group: any; sum: number }[] }>;
}

/** `sdk.manageBlueprints`: administration of the data models. */
export interface QlManageBlueprints extends QelosApi {
  getBlueprint(key: string): Promise<IBlueprint>;
  getList(): Promise<IBlueprint[]>;
  /** Resolves whatever the status is: check `ok`. */
  remove(key: string): Promise<Response>;
  update(key: string, changes: Partial<IBlueprint>): Promise<IBlueprint>;
  create(blueprint: IBlueprint): Promise<IBlueprint>;
}
