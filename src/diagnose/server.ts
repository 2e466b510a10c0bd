import { type Answer, describe, isAnonymousRefusal, type Outcome, saidBy } from './answer';
import { isCertificateFault } from './certificate';
import { type Check, failed, ok, skipped, warning } from './diagnosis';

/** Recorded: the gateway waits so long for the auth service, and then passes the call on as anonymous. */
const GATEWAY_WAITS_MS = 2000;

/** What an answer means that took longer than that; undefined if it did not. */
export function slowness(durationMs: number): readonly [meaning: string, next: string] | undefined {
  if (durationMs < GATEWAY_WAITS_MS) return undefined;
  return [
    'The auth service is slow. The gateway waits 2 s for it and then passes a call on as anonymous: calls with a good credential are answered with 401 now and then.',
    'Look at the load of the auth service and of its database.',
  ];
}

/** So far apart, times in the logs of plugin and server can no longer be compared. */
const MAX_CLOCK_DIFFERENCE_S = 60;

/** What is seen from outside: the answer to `GET /api/me` without a credential. */
export interface Seen {
  readonly url: URL;
  readonly outcome: Outcome;
  /** Status of another service's answer behind the same gateway, asked where `/api/me` fails with 5xx. */
  readonly otherService?: number | undefined;
  readonly timeoutMs: number;
}

/** Whether a credential may be sent there: only what answers as Qelos does gets one. */
export function isQelos({ outcome }: Seen): boolean {
  return outcome.answer !== undefined && isAnonymousRefusal(outcome.answer);
}

/** What the answer to a call without a credential means. */
export function checkServer(seen: Seen): Check {
  const { outcome } = seen;
  if (outcome.answer === undefined) return noAnswer(seen.url, outcome.fault, seen.timeoutMs);
  const { answer } = outcome;
  if (isAnonymousRefusal(answer)) return answeredAsQelos(answer);
  return (
    redirected(answer, seen.url) ??
    unknownHost(answer, seen.url) ??
    outOfOrder(answer, seen) ??
    inBetween(answer) ??
    notQelos(answer, seen.url)
  );
}

function answeredAsQelos({ durationMs }: Answer): Check {
  const slow = slowness(durationMs);
  if (slow === undefined) return ok('server', `Qelos answered in ${durationMs} ms`);
  return warning('server', `Qelos took ${durationMs} ms to answer.`, ...slow);
}

/** What each code of a connection that failed means, and what to do about it. */
function noAnswer(url: URL, fault: string, timeoutMs: number): Check {
  if (isCertificateFault(fault)) return skipped('server', 'not asked: there is no secure connection');
  const check = (seen: string, meaning: string, next: string) => failed('server', seen, meaning, next);
  const { host, hostname, port, protocol } = url;
  const listening = port || (protocol === 'https:' ? '443' : '80');
  switch (fault) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return skipped('server', 'not asked: its host has no address');
    case 'ECONNREFUSED':
      return check(
        `Nothing listens at ${host} (ECONNREFUSED).`,
        'The server is down, or the port in QELOS_URL is wrong, or HTTPS_PROXY names a proxy that is down.',
        `Start the server, or correct QELOS_URL; "nc -vz ${hostname} ${listening}" shows whether it can be reached.`,
      );
    case 'ECONNABORTED':
    case 'ETIMEDOUT':
      return check(
        `No answer from ${host} within ${timeoutMs} ms.`,
        'The server hangs or is overloaded, or a firewall drops what is sent to it.',
        `Look at the state of the instance; from this machine, "nc -vz ${hostname} ${listening}" shows whether it can be reached.`,
      );
    case 'ECONNRESET':
      return check(
        `${host} ended the connection without an answer (ECONNRESET).`,
        'The server is starting or crashing, or a proxy or firewall cuts the connection.',
        'Try again in a minute; then look at the logs of the gateway and of whatever stands in front of it.',
      );
    default:
      return check(
        `No answer from ${host} (${fault}).`,
        'This machine cannot reach the server.',
        'Check the network, QELOS_URL, and HTTPS_PROXY and NO_PROXY where a proxy is needed.',
      );
  }
}

function redirected(answer: Answer, url: URL): Check | undefined {
  if (answer.status < 300 || answer.status > 399) return undefined;
  const target = targetOf(answer, url);
  if (target === undefined) return undefined;
  const seen = `${url.host} answered with a redirect (${answer.status}) to ${target.origin}.`;
  if (target.host === url.host && target.protocol === 'https:') {
    return failed('server', seen, 'The server wants https.', `Set QELOS_URL=${target.origin}`);
  }
  return failed(
    'server',
    seen,
    target.origin === url.origin
      ? 'A log-in page or a maintenance page stands in front of the instance, or QELOS_URL has a path too many.'
      : 'The instance has another address, or a log-in page stands in front of it. A credential is never sent after a redirect.',
    target.origin === url.origin
      ? 'Set QELOS_URL to the address that answers by itself.'
      : `If ${target.host} is your instance, set QELOS_URL=${target.origin}; else have whatever stands in front let /api through.`,
  );
}

function targetOf(answer: Answer, url: URL): URL | undefined {
  const location = answer.header('location');
  try {
    return location === undefined ? undefined : new URL(location, url);
  } catch {
    return undefined;
  }
}

function unknownHost({ status, data }: Answer, url: URL): Check | undefined {
  if (status !== 400 || !saidBy(data)?.startsWith('no website for host')) return undefined;
  return failed(
    'server',
    `Qelos has no website for ${url.hostname} (HTTP status 400).`,
    'The gateway is there, and no tenant has this host name.',
    'Set QELOS_URL to the address that its users open, or add this host to the tenant in Qelos.',
  );
}

function outOfOrder(answer: Answer, { url, otherService }: Seen): Check | undefined {
  const { status } = answer;
  if (status === 429) {
    const wait = answer.header('retry-after');
    return failed(
      'server',
      `${url.host} refuses calls for now (HTTP status 429${wait === undefined ? '' : `, Retry-After: ${wait}`}).`,
      'Qelos has no such limit: a proxy in front of it counts the calls of this machine.',
      'Wait; then look for what calls so often, or have the limit raised.',
    );
  }
  if (status < 500) return undefined;
  if (otherService !== undefined && otherService < 500) {
    return failed(
      'server',
      `GET /api/me: HTTP status ${status}, while other services answer (HTTP status ${otherService}).`,
      'The auth service is down behind a gateway that works. Until it is back, every call is anonymous and is answered with 401, whatever its credential.',
      'Look at the auth service and its database. The credential is not at fault: do not replace it.',
    );
  }
  return failed(
    'server',
    `The instance is out of order (${describe(answer)}).`,
    'Neither the auth service nor another one answers: the instance is down or being deployed, or a proxy cannot reach it.',
    'Look at the state of the instance, and try again in a minute.',
  );
}

function inBetween(answer: Answer): Check | undefined {
  if (answer.status === 407) {
    return failed(
      'server',
      `A proxy wants a log-in of its own (${describe(answer)}).`,
      'HTTPS_PROXY names a proxy that asks who you are.',
      'Put user name and password into HTTPS_PROXY, or set NO_PROXY to the host of QELOS_URL.',
    );
  }
  const { data, status } = answer;
  if (status === 200 && typeof data === 'object' && data !== null && '_id' in data) {
    return failed(
      'server',
      'A call without a credential was answered as that of a user (HTTP status 200).',
      'A proxy in between signs calls in by itself, or answers from its cache: calls run as somebody else.',
      'Set QELOS_URL to the instance itself, or have the proxy leave /api alone.',
    );
  }
  const type = answer.header('content-type');
  if (status === 404 || !type?.startsWith('text/html')) return undefined;
  return failed(
    'server',
    `A web page came instead of an answer of the API (${describe(answer)}).`,
    'A proxy, a firewall or a log-in page stands between this machine and Qelos, or QELOS_URL is the address of another web site.',
    'Open QELOS_URL in a browser on this machine; have whatever stands in between let /api through.',
  );
}

function notQelos(answer: Answer, url: URL): Check {
  const said = saidBy(answer.data);
  return failed(
    'server',
    `What answers is not the API of Qelos (${describe(answer)}${said === undefined ? '' : `: "${said}"`}).`,
    url.pathname === '/'
      ? 'QELOS_URL is the address of something else.'
      : `QELOS_URL ends in ${url.pathname}, which the API is not below.`,
    url.pathname === '/' ? 'Set QELOS_URL to the address of your instance.' : `Set QELOS_URL=${url.origin}`,
  );
}

/** How far this machine's clock is from the server's, which tells whole seconds. */
export function checkClock({ outcome }: Seen, wallClock = Date.now()): Check {
  const date = Date.parse(outcome.answer?.header('date') ?? '');
  if (Number.isNaN(date)) return skipped('clock', 'the server did not tell its time');
  const seconds = Math.round((wallClock - date) / 1000);
  if (Math.abs(seconds) <= MAX_CLOCK_DIFFERENCE_S) return ok('clock', 'agrees with that of the server');
  return warning(
    'clock',
    `The clock of this machine is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} that of the server.`,
    'Credentials do no harm by it: their life is counted from their receipt. Certificates, and times in logs, do.',
    'Set the clock (systemctl status systemd-timesyncd, or that of the host of a container).',
  );
}
