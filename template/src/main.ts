import { isAuthError, QelosAuth, registerQelosAuth } from 'qelos-auth';
import { container } from 'tsyringe';
import { BOOK_BLUEPRINT } from './books.ts';
import { createPluginServer } from './server.ts';

registerQelosAuth(container); // reads QELOS_URL, QELOS_API_TOKEN and so on
container.register(BOOK_BLUEPRINT, { useValue: process.env['BOOK_BLUEPRINT'] || 'book' });

try {
  const { strategy, user } = await container.resolve(QelosAuth).signIn(); // what is wrong comes up now
  console.log(`signed in as ${user.username} (${strategy})`);
} catch (error) {
  if (!isAuthError(error)) throw error;
  console.error(`${error.code}: ${error.message}\n${error.hint}`);
  process.exit(1);
}

const server = createPluginServer(container);
const port = Number(process.env['PORT'] || 3000);
server.listen(port, () => console.log(`listening on ${port}`));

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => server.close(() => void container.dispose()));
}
