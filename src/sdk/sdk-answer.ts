import { text } from 'node:stream/consumers';
import { AxiosError, AxiosHeaders, type AxiosResponse } from 'axios';
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
 * as a mock, may answer with something that is no text.
 */
export function bodyOf({ data, headers }: AxiosResponse): ReadBody | Promise<ReadBody> {
  const isJson = String(headers['content-type'] ?? '').includes('json');
  if (typeof data === 'string') return parsed(data, isJson);
  if (data === undefined || data === null) return parsed('', isJson);
  if (data instanceof ArrayBuffer) return parsed(Buffer.from(data).toString(), isJson);
  if (ArrayBuffer.isView(data)) {
    return parsed(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString(), isJson);
  }
  if (data instanceof Blob) return data.text().then((read) => parsed(read, isJson));
  if (Symbol.asyncIterator in data) return text(data).then((read) => parsed(read, isJson));
  return { body: data, isReadable: true };
}

function parsed(read: string, isJson: boolean): ReadBody {
  if (!isJson) return { body: read, isReadable: true };
  try {
    return { body: JSON.parse(read), isReadable: true };
  } catch {
    return { body: read, isReadable: false };
  }
}

/** An answer of the API that is not a success, as an error of the SDK: it keeps status, headers and body. */
export function sdkError({ status, statusText, headers, url, body, refusal }: FailedAnswer): AxiosError {
  const message = messageOf(body) ?? (typeof body === 'string' && body !== '' ? body.slice(0, 200) : undefined);
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
