import type { AxiosInstance } from 'axios';
import { QELOS_HTTP } from 'qelos-auth';
import { type InjectionToken, inject, injectable } from 'tsyringe';

/** Key of the blueprint that the plugin keeps its books in. */
export const BOOK_BLUEPRINT: InjectionToken<string> = Symbol.for('my-qelos-plugin:book-blueprint');

export interface Book {
  identifier: string;
  metadata: { title: string };
}

/** The books in Qelos. It is given an axios instance that authenticates its calls, and knows nothing of tokens. */
@injectable()
export class Books {
  readonly #http: AxiosInstance;
  readonly #path: string;

  // Each parameter names its token: tsx and esbuild leave out the type metadata that tsyringe would guess it from.
  constructor(@inject(QELOS_HTTP) http: AxiosInstance, @inject(BOOK_BLUEPRINT) blueprint: string) {
    this.#http = http;
    this.#path = `/api/blueprints/${blueprint}/entities`;
  }

  async list(): Promise<Book[]> {
    const { data } = await this.#http.get<Book[]>(this.#path);
    return data;
  }

  async add(title: string): Promise<Book> {
    const { data } = await this.#http.post<Book>(this.#path, { metadata: { title } });
    return data;
  }
}
