/**
 * A time in an answer. The SDK declares `Date` for most of them, but what arrives is the ISO 8601 text of the JSON body:
 * pass it through `new Date(…)` before using it as one.
 */
export type QelosTimestamp = string | Date;

/** What every module of the SDK can do. Paths are relative to the instance and start with a slash: `/api/…`. */
export interface QelosApi {
  /**
   * Sends a request and resolves with the answer whatever its status is: check `ok`, or read `body` as a stream.
   * Give headers as a plain object; the SDK adds its own to it.
   */
  callApi(relativeUrl: string, data?: RequestInit): Promise<Response>;
  /** Sends a request and resolves with the parsed body. Rejects when the status is not 2xx or the JSON cannot be read. */
  callJsonApi<T>(relativeUrl: string, data?: RequestInit): Promise<T>;
  /** The query text, question mark included, with what an administrator's requests carry; empty when there is nothing. */
  getQueryParams(moreQuery?: Record<string, any>): string;
}

/** Further `fetch` options of one call, and further query parameters where the method takes them. */
export type RequestExtra = RequestInit & { query?: Record<string, string> };
