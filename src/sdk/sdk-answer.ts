import { text } from 'node:stream/consumers';
import type { AxiosError, AxiosResponse } from 'axios';
import { axiosInUse } from '../http/axios';
import { type ApiRefusal, messageOf } from '../qelos/refusal';

/** An answer that makes a call of the SDK fail. */
export interface FailedAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Record<string, unknown>;
  readonly url: string;
  /** The parsed JSON, or the text. */
  readonly body: unknown;
  /** What a 401 or 403 of an authenticated call means. */
  readonly refusal?: ApiRefusal | undefined;
}

interface ReadBody {
  readonly body: unknown;
  /** Whether it is what its content type says. */
  readonly isReadable: boolean;
}

/**
 * Reads a body as the published SDK does: as JSON when the content type says so, as text otherwise. A custom adapter, such
 * as a mock, may answer with something that is no text, or without a content type: then JSON is recognised by itself.
 */
export function bodyOf({ data, headers }: AxiosResponse): ReadBody | Promise<ReadBody> {
  const type = headers['content-type'];
  if (typeof data === 'string') return parsed(data, type);
  if (data === undefined || data === null) return parsed('', type);
  if (data instanceof ArrayBuffer) return parsed(Buffer.from(data).toString(), type);
  if (ArrayBuffer.isView(data)) {
    return parsed(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString(), type);
  }
  if (data instanceof Blob) return data.text().then((read) => parsed(read, type));
  if (Symbol.asyncIterator in data) return text(data).then((read) => parsed(read, type));
  return { body: data, isReadable: true };
}

function parsed(read: string, type: unknown): ReadBody {
  if (type && !String(type).includes('json')) return { body: read, isReadable: true };
  try {
    return { body: JSON.parse(read), isReadable: true };
  } catch {
    return { body: read, isReadable: !type };
  }
}

/** An answer of the API that is not a success, as an error of the SDK: it keeps status, headers and body. */
export function sdkError({ status, statusText, headers, url, body, refusal }: FailedAnswer): AxiosError {
  const message = messageOf(body) ?? (typeof body === 'string' && body !== '' ? body.slice(0, 200) : undefined);
  const { AxiosError, AxiosHeaders } = axiosInUse();
  const config = { url, headers: new AxiosHeaders() };
  const error = new AxiosError(
    message ?? `Request failed with status code ${status}`,
    status >= 400 && status < 500 ? AxiosError.ERR_BAD_REQUEST : AxiosError.ERR_BAD_RESPONSE,
    config,
    undefined,
    {
      status,
      statusText,
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
      data: body,
      config,
    },
  );
  return Object.assign(error, { details: body }, refusal);
}
