// The plugin's own code. It injects an axios instance and the SDK, and knows nothing of tokens.
//
// Each parameter names its token: tsx, esbuild and vitest leave out the type metadata that tsyringe would guess it from.
import type { AxiosInstance } from 'axios';
import { QELOS_HTTP, QELOS_SDK, type QelosAdministratorSDK } from 'qelos-auth';
import { type InjectionToken, inject, injectable } from 'tsyringe';

/** Key of the blueprint that the plugin keeps its books in. */
export const BOOK_BLUEPRINT: InjectionToken<string> = Symbol.for('example-plugin:book-blueprint');

export interface Book {
  identifier: string;
  metadata: { title: string };
}

/** Books through axios. */
@injectable()
export class BookShelf {
  readonly #http: AxiosInstance;
  readonly #path: string;

  constructor(@inject(QELOS_HTTP) http: AxiosInstance, @inject(BOOK_BLUEPRINT) blueprint: string) {
    this.#http = http;
    this.#path = `/api/blueprints/${blueprint}/entities`;
  }

  async add(title: string): Promise<Book> {
    const { data } = await this.#http.post<Book>(this.#path, { metadata: { title } });
    return data;
  }

  async list(): Promise<Book[]> {
    const { data } = await this.#http.get<Book[]>(this.#path);
    return data;
  }
}

/** The same books through the Qelos SDK. */
@injectable()
export class BookCatalogue {
  readonly #books;

  constructor(@inject(QELOS_SDK) sdk: QelosAdministratorSDK, @inject(BOOK_BLUEPRINT) blueprint: string) {
    this.#books = sdk.blueprints.entitiesOf<Pick<Book, 'metadata'>>(blueprint);
  }

  add(title: string): Promise<Book> {
    return this.#books.create({ metadata: { title } });
  }

  list(): Promise<Book[]> {
    return this.#books.getList();
  }

  async remove(identifier: string): Promise<void> {
    await this.#books.remove(identifier);
  }
}

/** User administration: not everybody may. */
@injectable()
export class Staff {
  readonly #http: AxiosInstance;

  constructor(@inject(QELOS_HTTP) http: AxiosInstance) {
    this.#http = http;
  }

  async usernames(): Promise<string[]> {
    const { data } = await this.#http.get<{ username: string }[]>('/api/users');
    return data.map(({ username }) => username);
  }
}
