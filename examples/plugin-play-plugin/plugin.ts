// A plugin on @qelos/plugin-play: a service, an endpoint that Qelos proxies, and a hook. Two lines of it are there for
// qelos-auth; the rest is what such a plugin looks like anyway.
import {
  addProxyEndpoint,
  getSdk,
  getSdkForTenant,
  LifecycleEvent,
  on,
  registerToHook,
  start,
} from '@qelos/plugin-play';
import { QelosAuth, registerQelosAuth } from 'qelos-auth';
import { pluginPlayOptions } from 'qelos-auth/plugin-play';
import { container, type DependencyContainer, type InjectionToken, inject, injectable } from 'tsyringe';

type PlaySdk = ReturnType<typeof getSdk>;
type StartOptions = NonNullable<Parameters<typeof start>[0]>;

interface Book {
  identifier: string;
  metadata: { title: string };
}

/** The SDK of `getSdk()`, for services to inject. */
const PLAY_SDK: InjectionToken<PlaySdk> = Symbol.for('books-plugin:sdk');

/** Key of the blueprint that the plugin keeps its books in. */
const BOOK_BLUEPRINT: InjectionToken<string> = Symbol.for('books-plugin:blueprint');

/** The plugin's own code: it knows nothing of tokens. */
@injectable()
class BookShelf {
  readonly #books;

  constructor(@inject(PLAY_SDK) sdk: PlaySdk, @inject(BOOK_BLUEPRINT) blueprint: string) {
    this.#books = sdk.blueprints.entitiesOf<Pick<Book, 'metadata'>>(blueprint);
  }

  list(): Promise<Book[]> {
    return this.#books.getList();
  }

  find(identifier: string): Promise<Book> {
    return this.#books.getEntity(identifier);
  }

  add(title: string): Promise<Book> {
    // The published types ask for what the server makes up, an identifier and dates.
    return this.#books.create({ metadata: { title } } as never);
  }
}

/** A plugin that listens. */
export interface Plugin {
  readonly auth: QelosAuth;
  stop(): Promise<void>;
}

/**
 * Starts the plugin.
 *
 * @param options - what `start()` takes: manifest and config
 * @param env - where qelos-auth finds `QELOS_URL` and the credentials
 */
export async function startPlugin(options: StartOptions = {}, env = process.env): Promise<Plugin> {
  const own: DependencyContainer = container.createChildContainer();
  registerQelosAuth(own, { env }); //                                          the first line
  const auth = own.resolve(QelosAuth);
  own.register(PLAY_SDK, { useFactory: () => getSdk() });
  own.register(BOOK_BLUEPRINT, { useValue: env['QELOS_DEMO_BLUEPRINT'] ?? 'book' });
  const shelf = () => own.resolve(BookShelf);

  addProxyEndpoint('/books', { method: 'GET', handler: () => shelf().list() });
  addProxyEndpoint('/books/:identifier', {
    method: 'GET',
    // A book that is not there is an error of the SDK with status 404, and fastify answers with that.
    handler: ({ params }) => shelf().find((params as { identifier: string }).identifier),
  });
  addProxyEndpoint('/tenant/books', {
    method: 'GET',
    handler: async ({ tenantPayload }) => {
      const sdk = await getSdkForTenant(tenantPayload);
      return sdk?.blueprints.entitiesOf(own.resolve(BOOK_BLUEPRINT)).getList();
    },
  });
  registerToHook(
    { source: 'auth', kind: 'signup', eventName: 'user-registered', path: 'user-registered' },
    async ({ body }) => shelf().add(`A first book for ${(body as { user: { username: string } }).user.username}`),
  );

  let app: { close(): Promise<void> } | undefined;
  on(LifecycleEvent.mounted, (mounted) => {
    app = mounted.app;
  });
  const manifest = { name: 'books', description: 'Keeps books', ...options.manifest };
  await start({ manifest, config: { ...options.config, ...pluginPlayOptions(auth) } }); // and the second
  return {
    auth,
    stop: async () => {
      await app?.close();
      await own.dispose();
    },
  };
}
