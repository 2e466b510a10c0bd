import type { Row } from './row';
import { accountRows } from './rows/accounts';
import { apiTokenRows } from './rows/api-tokens';
import { credentialRows } from './rows/credentials';
import { deployRows } from './rows/deploy';
import { gatewayRows } from './rows/gateway';
import { logoutRows } from './rows/logout';
import { refreshRows } from './rows/refresh';
import { signInRows } from './rows/sign-in';
import { tokenRows } from './rows/tokens';

/** How a real Qelos answers, row by row, as recorded from qelos-io/qelos at 4b6bcd01. */
export const rows: readonly Row[] = [
  ...signInRows,
  ...tokenRows,
  ...refreshRows,
  ...credentialRows,
  ...gatewayRows,
  ...apiTokenRows,
  ...logoutRows,
  ...accountRows,
  ...deployRows,
];
