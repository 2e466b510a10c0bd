import type { QelosApi, QelosTimestamp } from './base.types';

export interface IMessage {
  role: string;
  content: string;
  timestamp?: QelosTimestamp;
  tool_calls?: any[];
  name?: string;
  tool_call_id?: string;
  function_call?: any;
  message_id?: string;
}

export interface IMessageSummary {
  fromIndex: number;
  toIndex: number;
  summary: string;
}

/** A conversation that the instance keeps. */
export interface IThread {
  _id?: string;
  /** Id of the integration that answers. */
  integration: string;
  title?: string;
  messages: IMessage[];
  messageSummaries: IMessageSummary[];
  created?: QelosTimestamp;
  updated?: QelosTimestamp;
  user?: string;
  workspace?: string;
}

/** A tool that the caller, not the instance, runs when the model asks for it. */
export interface IClientTool {
  name: string;
  description: string;
  schema?: any;
}

export interface IChatCompletionOptions {
  messages: IMessage[];
  model?: string;
  temperature?: number;
  top_p?: number;
  frequency_penalty?: number;
  presence_penalty?: number;
  stop?: string | string[];
  max_tokens?: number;
  response_format?: any;
  context?: Record<string, any>;
  stream?: boolean;
  queryParams?: Record<string, any>;
  clientTools?: IClientTool[];
  rules?: string[];
}

export interface IChatCompletionResponse {
  id: string;
  object: string;
  /** Unix time in seconds. */
  created: number;
  model: string;
  choices: { index: number; message: IMessage; finish_reason: string }[];
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

/** The events of a stream, parsed. Use it once: either iterate, or give it a callback that ends it by returning `false`. */
export interface ISSEStreamProcessor extends AsyncIterable<any> {
  // biome-ignore lint/suspicious/noConfusingVoidType: a callback that returns nothing must be assignable
  processManually(onData: (data: any) => void | boolean): Promise<void>;
}

export interface ICreateThreadRequest {
  integration: string;
  title?: string;
}

export interface IThreadQuery {
  integration?: string;
  limit?: number;
  page?: number;
  sort?: string;
  user?: string;
  workspace?: string;
  [key: string]: string | number | undefined;
}

export interface ICreateVectorStorageRequest {
  integrationId: string;
  scope: 'thread' | 'user' | 'workspace' | 'tenant';
  subjectId?: string;
  expirationAfterDays?: number;
}

export interface IUploadContentRequest {
  integrationId?: string;
  vectorStoreId?: string;
  content: string | object;
  fileName?: string;
  metadata?: Record<string, any>;
}

export interface IClearStorageRequest {
  integrationId?: string;
  vectorStoreId?: string;
  fileIds?: string[];
}

export interface IVectorStore {
  _id: string;
  scope: string;
  subjectId?: string;
  tenant: string;
  agent: string;
  externalId: string;
  expirationAfterDays?: number;
  created: QelosTimestamp;
}

/** `sdk.ai.threads`: conversations. */
export interface ThreadsSDK extends QelosApi {
  create(data: ICreateThreadRequest): Promise<IThread>;
  getOne(threadId: string): Promise<IThread>;
  list(options?: IThreadQuery): Promise<IThread[]>;
  delete(threadId: string): Promise<{ success: boolean }>;
}

/** `sdk.ai.chat`: completions. A stream that is refused rejects with the status in its message only. */
export interface ChatSDK extends QelosApi {
  chat(integrationId: string, options: IChatCompletionOptions): Promise<IChatCompletionResponse>;
  chatInThread(
    integrationId: string,
    threadId: string,
    options: IChatCompletionOptions,
  ): Promise<IChatCompletionResponse>;
  /** The answer as server-sent events; read them with `parseSSEStream`. */
  stream(integrationId: string, options: IChatCompletionOptions): Promise<ReadableStream<Uint8Array>>;
  /** The answer as server-sent events; read them with `parseSSEStream`. */
  streamInThread(
    integrationId: string,
    threadId: string,
    options: IChatCompletionOptions,
  ): Promise<ReadableStream<Uint8Array>>;
  parseSSEStream(stream: ReadableStream<Uint8Array>): ISSEStreamProcessor;
}

/** `sdk.ai.rag`: the documents a model may look things up in. */
export interface RagSDK extends QelosApi {
  createStorage(
    sourceId: string,
    data: ICreateVectorStorageRequest,
  ): Promise<{ success: boolean; message: string; vectorStore: IVectorStore }>;
  uploadContent(
    sourceId: string,
    data: IUploadContentRequest,
  ): Promise<{ success: boolean; message: string; fileId: string; vectorStoreId: string }>;
  clearStorage(
    sourceId: string,
    data: IClearStorageRequest,
  ): Promise<{ success: boolean; message: string; clearedCount: number; vectorStoreId: string }>;
}

/** `sdk.ai`: the instance's AI integrations. */
export interface QlAI extends QelosApi {
  threads: ThreadsSDK;
  chat: ChatSDK;
  rag: RagSDK;
  /** @deprecated Use `threads.create()`. */
  createThread(data: ICreateThreadRequest): Promise<IThread>;
  /** @deprecated Use `threads.getOne()`. */
  getThread(threadId: string): Promise<IThread>;
  /** @deprecated Use `threads.list()`. */
  listThreads(options?: IThreadQuery): Promise<IThread[]>;
  /** @deprecated Use `threads.delete()`. */
  deleteThread(threadId: string): Promise<{ success: boolean }>;
  /** @deprecated Use `chat.chat()`. */
  chatCompletion(integrationId: string, options: IChatCompletionOptions): Promise<IChatCompletionResponse>;
  /** @deprecated Use `chat.chatInThread()`. */
  chatCompletionInThread(
    integrationId: string,
    threadId: string,
    options: IChatCompletionOptions,
  ): Promise<IChatCompletionResponse>;
  /** @deprecated Use `chat.stream()`. */
  streamChat(integrationId: string, options: IChatCompletionOptions): Promise<ReadableStream<Uint8Array>>;
  /** @deprecated Use `chat.streamInThread()`. */
  streamChatInThread(
    integrationId: string,
    threadId: string,
    options: IChatCompletionOptions,
  ): Promise<ReadableStream<Uint8Array>>;
  /** @deprecated Use `chat.parseSSEStream()`. */
  parseSSEStream(stream: ReadableStream<Uint8Array>): ISSEStreamProcessor;
}
