import { expect } from '@jest/globals';
import type { Recorded } from './row';

export const aToken = expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/);
export const anApiToken = expect.stringMatching(/^ql_[0-9a-f]{64}$/);
export const anId = expect.stringMatching(/^[0-9a-f]{24}$/);
export const aHash = expect.stringMatching(/^[0-9a-f]{64}$/);
export const aDate = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
export const text = expect.any(String);
export const aNumber = expect.any(Number);
export const roles = expect.arrayContaining([text]);
export const texts = expect.any(Array);

export const json = (status: number, exact: unknown): Recorded => ({ status, type: 'application/json', exact });
export const jsonLike = (status: number, shape: unknown): Recorded => ({ status, type: 'application/json', shape });
export const refused = (status: number, message: string): Recorded => json(status, { message });
export const page = (status: number): Recorded => ({ status, type: 'text/html' });
export const empty = (status: number): Recorded => ({ status, type: null, exact: '' });

export const notLoggedIn = refused(401, 'you are not authorized. must be logged in.');
export const badBearer = refused(401, 'authorization token is not valid.');
export const badKey = refused(401, 'Invalid or expired API token');
