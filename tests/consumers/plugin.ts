// A plugin as a team writes one. It is compiled for each module system by each supported compiler, and run.
import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
// Before tsyringe, and in place of an import of reflect-metadata.
import {
  AUTH_STRATEGY,
  type AuthContext,
  type AuthStrategy,
  Credential,
  createQelosAuth,
  isAuthError,
  QELOS_HTTP,
  QELOS_SDK,
  type QelosAdministratorSDK,
  QelosAuth,
  type QelosSdk,
  registerQelosAuth,
} from 'qelos-auth';
import { type QelosServer, startQelosServer } from 'qelos-auth/testing';
import { container, inject, injectable } from 'tsyringe';

interface Book {
  title: string;
}

/** A way to sign in that this team made. */
@injectable()
class VaultStrategy implements AuthStrategy {
  readonly name = 'vault';
  static key = '';

  missing(): readonly string[] {
    return VaultStrategy.key ? [] : ['VAULT_KEY'];
  }

  async signIn({ signal, http }: AuthContext): Promise<Credential> {
    signal.throwIfAborted();
    const client: AxiosInstance = http;
    if (client === axios) throw new Error('the default instance is shared with others');
    return Credential.apiKey(VaultStrategy.key, { expiresAt: new Date(Date.now() + 60_000) });
  }
}

@injectable()
class Library {
  constructor(
    @inject(QELOS_HTTP) private readonly http: AxiosInstance,
    @inject(QELOS_SDK) private readonly sdk: QelosAdministratorSDK,
  ) {}

  async reader(): Promise<QelosSdk.IUser> {
    const { data }: AxiosResponse<QelosSdk.IUser> = await this.http.get<QelosSdk.IUser>('/api/me');
    return data;
  }

  async anonymousStatus(): Promise<number> {
    const { status } = await this.http.get('/api/me', { skipAuth: true, validateStatus: null });
    return status;
  }

  /** Not called: shows what the declaration of the SDK is good for. */
  async firstTitle(): Promise<string | undefined> {
    const [book] = await this.sdk.blueprints.entitiesOf<Book>('book').getList({ $limit: 1 });
    return book?.title;
  }

  async namesAgree(): Promise<boolean> {
    const user = await this.sdk.authentication.getLoggedInUser();
    return user.username === (await this.reader()).username;
  }
}

async function main(): Promise<void> {
  const server: QelosServer = await startQelosServer();
  try {
    const username = server.users[0]?.username ?? '';
    VaultStrategy.key = server.issueApiToken({ username });

    container.register(AUTH_STRATEGY, { useClass: VaultStrategy });
    registerQelosAuth(container, { config: { url: server.url }, env: {} });
    const library = container.resolve(Library);
    const auth: QelosAuth = container.resolve(QelosAuth);
    if ((await library.reader()).username !== username) throw new Error('not authenticated by the container');
    if (!(await library.namesAgree())) throw new Error('not authenticated through the SDK');
    if ((await library.anonymousStatus()) !== 401) throw new Error('skipAuth has no effect');
    if (auth.strategy.name !== 'vault') throw new Error(`signed in with ${auth.strategy.name}`);
    await auth.close();

    const other = createQelosAuth({ config: { url: server.url, apiToken: 'ql_unknown' }, env: {} });
    const reason: unknown = await other.signIn().catch((error: unknown) => error);
    if (!isAuthError(reason) || reason.hint === '') throw new Error('a refused token is not explained');
    await other.close();
  } finally {
    await server.close();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
