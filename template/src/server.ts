import { createServer, type IncomingMessage, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { isAxiosError } from 'axios';
import { isAuthError, QelosAuth } from 'qelos-auth';
import type { DependencyContainer } from 'tsyringe';
import { Books } from './books.ts';
import { Health } from './health.ts';

interface Answer {
  status: number;
  body: unknown;
}

type Route = (request: IncomingMessage) => Promise<Answer>;

/** The plugin's own HTTP server: `/books`, and `/health` for whoever watches over it. */
export function createPluginServer(container: DependencyContainer): Server {
  const books = container.resolve(Books);
  const health = new Health(container.resolve(QelosAuth));

  const routes: Record<string, Route> = {
    'GET /books': async () => ({ status: 200, body: await books.list() }),
    'POST /books': async (request) => {
      const title = titleIn(await text(request));
      if (title === undefined) return { status: 400, body: { message: 'Send {"title": "…"}.' } };
      return { status: 201, body: await books.add(title) };
    },
    'GET /health': async () => {
      const diagnosis = await health.check();
      return { status: diagnosis.outcome === 'failed' ? 503 : 200, body: diagnosis };
    },
  };

  return createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const route = routes[`${request.method} ${pathname}`];
    const { status, body } = route
      ? await route(request).catch(failed)
      : { status: 404, body: { message: 'There is nothing here.' } };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
}

function titleIn(json: string): string | undefined {
  try {
    const { title } = JSON.parse(json);
    return typeof title === 'string' && title !== '' ? title : undefined;
  } catch {
    return undefined;
  }
}

/** Callers learn that it failed; why is for the log. Neither holds a secret. */
function failed(error: unknown): Answer {
  if (isAuthError(error)) console.error(error.code, error.message, error.hint);
  else console.error(isAxiosError(error) ? error.message : error);
  return { status: 502, body: { message: 'Qelos did not do what was asked.' } };
}
