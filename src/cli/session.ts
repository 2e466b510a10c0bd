import { password as askPassword, text as askText, confirm, isCancel } from '@clack/prompts';
import { isAxiosError } from 'axios';
import { createQelosAuth, isAuthError, type QelosAuth } from '../index';
import { addressOf, CALLS, type Context } from './context';
import { CommandFailed, UsageError } from './failures';

/** An API token as the server lists it; the token itself it shows to nobody. */
export interface ListedToken {
  readonly _id: string;
  readonly nickname: string;
  readonly tokenPrefix: string;
  readonly expiresAt: string;
  readonly lastUsedAt: string | null;
  readonly workspace: { readonly _id: string; readonly name?: string } | null;
  readonly created: string;
  readonly usageCount?: number;
}

export interface NewToken {
  readonly nickname: string;
  readonly expiresAt: Date;
  readonly workspace?: string | undefined;
}

/** Recorded from a real Qelos: a user has so many tokens at a time. */
export const MAX_TOKENS = 10;

const PATH = '/api/me/api-tokens';

/** A session of the user who owns the tokens. Qelos lets no API token manage tokens, so it takes the password. */
export class TokenSession {
  readonly #auth: QelosAuth;
  readonly url: string;

  private constructor(url: string, auth: QelosAuth) {
    this.url = url;
    this.#auth = auth;
  }

  /**
   * Signs in with the first call, does the work, and signs out: every sign-in adds a session to the user, which would live on for a month.
   *
   * @throws UsageError if there is no password and nobody to ask; AuthError if it is refused
   */
  static async use<T>(context: Context, work: (session: TokenSession) => Promise<T>): Promise<T> {
    const { username, password } = await credentials(context);
    const url = addressOf(context);
    const auth = createQelosAuth({
      // By the names that the errors of the command tell whoever runs it.
      env: { QELOS_URL: url, QELOS_USERNAME: username, QELOS_PASSWORD: password },
      axios: CALLS,
      config: { strategy: 'oauth-refresh' },
    });
    const session = new TokenSession(url, auth);
    try {
      return await work(session);
    } finally {
      // Whether that succeeds changes nothing about the work that is done.
      await auth.http.post('/api/logout').catch(() => undefined);
      await auth.close();
    }
  }

  async list(): Promise<ListedToken[]> {
    const { data } = await this.#call('list the tokens', () => this.#auth.http.get<unknown>(PATH));
    if (!Array.isArray(data)) throw unexpected('list the tokens');
    return data;
  }

  async create({ nickname, expiresAt, workspace }: NewToken): Promise<{ token: string; apiToken: ListedToken }> {
    const wanted = { nickname, expiresAt: expiresAt.toISOString(), ...(workspace !== undefined && { workspace }) };
    const { data } = await this.#call('create the token', () =>
      this.#auth.http.post<{ token?: unknown; apiToken?: ListedToken }>(PATH, wanted),
    );
    const { token, apiToken } = data;
    if (typeof token !== 'string' || apiToken === undefined) throw unexpected('create the token');
    // Recorded: this answer has the workspace's id alone, where the list has an object.
    return { token, apiToken: { ...apiToken, workspace: workspace === undefined ? null : { _id: workspace } } };
  }

  async revoke(id: string): Promise<void> {
    await this.#call('revoke the token', () => this.#auth.http.delete(`${PATH}/${encodeURIComponent(id)}`));
  }

  async #call<T>(what: string, send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      if (isAuthError(error) || !isAxiosError<{ message?: unknown }>(error)) throw error;
      const { status, data } = error.response ?? {};
      const said = typeof data?.message === 'string' ? `"${data.message.slice(0, 200)}"` : 'nothing more';
      if (status === undefined) {
        throw new CommandFailed(
          `The server did not answer when asked to ${what}.`,
          'Whether it was done shows in: npx qelos-auth tokens list',
        );
      }
      throw new CommandFailed(`The server refused to ${what} (HTTP status ${status}, ${said}).`, hintFor(status, said));
    }
  }
}

function unexpected(what: string): CommandFailed {
  return new CommandFailed(
    `When asked to ${what}, the server answered with something else.`,
    'Run: npx qelos-auth doctor',
  );
}

/** What to do about an answer, as recorded from a real Qelos. */
function hintFor(status: number, said: string): string {
  if (said.includes('do not have permission')) {
    return 'API tokens are switched off in this Qelos, or not allowed for the roles of this user. An administrator allows them in the settings of the authentication.';
  }
  if (said.includes('Maximum')) return 'Revoke one that is no longer needed: npx qelos-auth tokens list';
  if (said.includes('Failed to create')) return 'Check the identifier given to --workspace.';
  if (status === 404) return 'It may have been revoked already: npx qelos-auth tokens list';
  return 'Run: npx qelos-auth doctor';
}

/** User name and password: configured, or asked for. */
async function credentials({ settings: { env }, terminal }: Context): Promise<{ username: string; password: string }> {
  const { streams } = terminal;
  let username = env['QELOS_USERNAME']?.trim();
  let password = env['QELOS_PASSWORD'];
  if (username && password) return { username, password };
  if (!terminal.isInteractive) {
    const lacking = [username ? [] : ['QELOS_USERNAME'], password ? [] : ['QELOS_PASSWORD']].flat();
    throw new UsageError(
      `Managing tokens takes user name and password, and ${lacking.join(' and ')} ${lacking.length > 1 ? 'are' : 'is'} not set.`,
      'Qelos lets no API token manage tokens. Set what is missing, or run this in a terminal to be asked.',
    );
  }
  const required = (value: string | undefined) => (value ? undefined : 'It cannot be empty.');
  if (!username) username = answered(await askText({ message: 'Qelos user name', validate: required, ...streams }));
  if (!password) {
    password = answered(await askPassword({ message: `Password of ${username}`, validate: required, ...streams }));
  }
  terminal.hide(password);
  return { username, password };
}

function answered(answer: string | symbol): string {
  if (isCancel(answer)) throw new CommandFailed('Nothing was changed.', 'Run it again when you have the password.');
  return answer;
}

/** Asks before something is destroyed; where nobody can be asked, `--yes` has to say so. */
export async function confirmed({ terminal }: Context, message: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!terminal.isInteractive) throw new UsageError(message, 'Nobody is here to be asked. If you mean it, add --yes.');
  const answer = await confirm({ message, initialValue: false, ...terminal.streams });
  if (answer !== true) throw new CommandFailed('Nothing was changed.', 'Run it again and answer yes, or add --yes.');
}
