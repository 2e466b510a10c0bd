// What the demo does beyond the plugin of `npx qelos-auth init`, whose service `Books` it uses. Nothing here knows of tokens.
//
// Each parameter names its token: tsx, esbuild and vitest leave out the type metadata that tsyringe would guess it from.
import type { AxiosInstance } from 'axios';
import { QELOS_HTTP, QELOS_SDK, type QelosAdministratorSDK } from 'qelos-auth';
import { inject, injectable } from 'tsyringe';
import { BOOK_BLUEPRINT, type Book } from '../../template/src/books.ts';

/** The books of the template's `Books`, through the Qelos SDK. */
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
