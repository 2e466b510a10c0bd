import { judgeBound, judgeOutage, judgeRedirect } from './judge-outside';
import { judgeExpiry, judgeRefresh, judgeRefreshRefusal, judgeRefreshSignal } from './judge-refresh';
import { judgeAuthorize, judgeRejected } from './judge-requests';
import { judgePrints, judgeSecrets, judgeSent } from './judge-secrets';
import { judgeMissing, judgeNoCache, judgeRefusal, judgeSignIn, judgeSignInSignal, judgeStorm } from './judge-sign-in';
import type { StrategyObstacle } from './strategy-under-test.types';
import type { Within } from './world';

/** One thing that every strategy must do. */
interface Case {
  readonly title: string;
  /** Cases without which this one says nothing new. */
  readonly after?: readonly string[];
  /** What somebody has to be able to do to the strategy. */
  readonly needs?: readonly StrategyObstacle[];
  /** @throws NotRun if this strategy leaves nothing to judge */
  judge(within: Within): Promise<unknown>;
}

const MISSING = 'missing() names the settings it lacks, at once, and does nothing else';
const SIGN_IN = 'signIn() gives a fresh Credential that the server accepts';
const STORM = 'fifty calls at once cost one sign-in, and none fails';
const REFUSAL = 'a refusal is one attempt and one AuthError that says what to do, for fifty calls';
const NO_CACHE = 'signIn() asks anew each time, and keeps nothing';
const SIGN_IN_SIGNAL = 'signIn() ends with context.signal';
const REFRESH = 'refresh(), if there is one, gives the successor of the credential it is given, each time';
const EXPIRY = 'when the credential ends, fifty calls at once cost one renewal, and none fails';
const REFRESH_REFUSAL = 'refresh(), if there is one, lets a refusal through';
const REFRESH_SIGNAL = 'refresh(), if there is one, ends with context.signal';
const OUTAGE = 'an outage is one attempt, and an error that says to try again';
const REDIRECT = 'a redirect takes no secret to another server';
const BOUND = 'an answer is read up to a limit';
const REJECTED = 'isRejected(), if there is one, is only about the credential';
const AUTHORIZE = 'authorize(), if there is one, adds headers and does nothing else';
const SECRETS = 'no secret shows: not in errors, not in events, not in the strategy itself';
const PRINTS = 'no secret is printed';
const SENT = 'no secret is sent where it gets logged: not in a URL, not in a header that is for something else';

export const CONTRACT: readonly Case[] = [
  { title: MISSING, judge: (within) => within(judgeMissing) },
  { title: SIGN_IN, after: [MISSING], judge: (within) => within(judgeSignIn) },
  { title: STORM, after: [SIGN_IN], judge: (within) => within(judgeStorm) },
  { title: REFUSAL, after: [SIGN_IN], needs: ['refuse'], judge: judgeRefusal },
  { title: NO_CACHE, after: [SIGN_IN, REFUSAL], judge: (within) => within(judgeNoCache) },
  { title: SIGN_IN_SIGNAL, after: [SIGN_IN], needs: ['hang'], judge: (within) => within(judgeSignInSignal) },
  { title: REFRESH, after: [SIGN_IN], judge: (within) => within(judgeRefresh) },
  { title: EXPIRY, after: [STORM, REFRESH], judge: (within) => within(judgeExpiry) },
  {
    title: REFRESH_REFUSAL,
    after: [REFRESH, REFUSAL],
    needs: ['refuse'],
    judge: (within) => within(judgeRefreshRefusal),
  },
  { title: REFRESH_SIGNAL, after: [REFRESH], needs: ['hang'], judge: (within) => within(judgeRefreshSignal) },
  { title: OUTAGE, after: [REFUSAL, REFRESH_REFUSAL], judge: judgeOutage },
  { title: REDIRECT, after: [SIGN_IN], judge: judgeRedirect },
  { title: BOUND, after: [SIGN_IN_SIGNAL, REFRESH_SIGNAL], judge: judgeBound },
  { title: REJECTED, after: [MISSING], judge: (within) => within(judgeRejected) },
  { title: AUTHORIZE, after: [SIGN_IN], judge: (within) => within(judgeAuthorize) },
  { title: SECRETS, after: [SIGN_IN], judge: (within) => within(judgeSecrets) },
  { title: PRINTS, after: [SIGN_IN], judge: (within) => within(judgePrints) },
  { title: SENT, after: [SIGN_IN], judge: (within) => within(judgeSent) },
];
