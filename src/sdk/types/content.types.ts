import type { QelosApi, QelosTimestamp } from './base.types';

/** A piece of content that pages of the instance show. */
export interface IBlock {
  name: string;
  description?: string;
  content: string;
  contentType?: 'content' | 'html';
  [key: string]: any;
}

/** `sdk.blocks`: content blocks. */
export interface QlBlocks extends QelosApi {
  getBlock(blockId: string): Promise<IBlock>;
  getList(): Promise<IBlock[]>;
  /** Resolves whatever the status is: check `ok`. */
  remove(blockId: string): Promise<Response>;
  update(blockId: string, changes: Partial<IBlock>): Promise<IBlock>;
  create(block: IBlock): Promise<IBlock>;
}

/** How the instance presents itself: names, colours, languages. Only what plugins commonly read is named here. */
export interface IAppConfiguration {
  name: string;
  description: string;
  language: string;
  [key: string]: any;
}

/** `sdk.appConfigurations`: the instance's own settings. */
export interface QlAppConfigurations extends QelosApi {
  getAppConfiguration(extra?: RequestInit): Promise<{ metadata: IAppConfiguration }>;
  update(changes: Partial<IAppConfiguration>, extra?: RequestInit): Promise<{ metadata: IAppConfiguration }>;
}

/** A setting that a team keeps on the instance under a key of its own. */
export interface ICustomConfiguration<T = any> {
  key: string;
  public: boolean;
  kind?: string;
  description?: string;
  metadata: T;
}

/** `sdk.manageConfigurations`: settings by key. */
export interface QlManageConfigurations extends QelosApi {
  /** Lists every configuration: the SDK does not use `key`. */
  getList(key: string, extra?: RequestInit): Promise<ICustomConfiguration[]>;
  getConfiguration<T = any>(key: string, extra?: RequestInit): Promise<ICustomConfiguration<T>>;
  create<T>(config: ICustomConfiguration<T>, extra?: RequestInit): Promise<ICustomConfiguration<T>>;
  update<T>(
    key: string,
    changes: Partial<ICustomConfiguration<T>>,
    extra?: RequestInit,
  ): Promise<ICustomConfiguration<T>>;
  remove(key: string, extra?: RequestInit): Promise<unknown>;
}

/** A user interface component that the instance compiles and serves. */
export interface IComponent {
  _id?: string;
  tenant?: string;
  identifier: string;
  componentName: string;
  description?: string;
  content: string;
  requiredProps: { prop: string; type: string }[];
  compiledContent?: { js: string; css: string };
  created: QelosTimestamp;
  updated: QelosTimestamp;
}

export interface IComponentCreateParams {
  identifier: string;
  componentName: string;
  description?: string;
  content: string;
}

export interface IBulkComponentResponse {
  total: number;
  succeeded: number;
  failed: number;
  results: { identifier: string; success: boolean; component?: IComponent; error?: string }[];
}

/** `sdk.components`: user interface components. */
export interface QlComponents extends QelosApi {
  getComponent(componentId: string): Promise<IComponent>;
  getList(): Promise<IComponent[]>;
  remove(componentId: string): Promise<IComponent>;
  update(componentId: string, changes: Partial<IComponentCreateParams>): Promise<IComponent>;
  create(component: IComponentCreateParams): Promise<IComponent>;
  bulkCreateOrUpdate(components: IComponentCreateParams[]): Promise<IBulkComponentResponse>;
}

export interface IDraftMetadata {
  contextDisplayName?: string;
  contextRouteParams?: any;
  contextType: string;
  contextId?: string;
  contextData: any;
}

export interface IDraft extends IDraftMetadata {
  user: string;
  tenant?: string;
}

/** `sdk.drafts`: unsaved work, kept by what it belongs to. */
export interface QlDrafts extends QelosApi {
  getList(): Promise<IDraft[]>;
  getDraft(contextType: string, contextId: string): Promise<IDraft>;
  setDraft(draft: IDraftMetadata): Promise<IDraft>;
  /** Resolves whatever the status is: check `ok`. */
  remove(contextType: string, contextId: string): Promise<Response>;
}
