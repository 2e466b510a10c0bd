import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { type Check, failed, ok, skipped, warning } from './diagnosis';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Certificates are renewed a month before their end where that is automatic; two weeks are left to a person. */
const WARN_DAYS = 14;

/** The answer has come by then, or a firewall keeps this machine from asking by itself. */
const LOOK_MS = 3000;

const NOT_DIRECT = 'not reached directly; the answer came another way (a proxy, an agent or an adapter)';

/**
 * Whether the host has an address.
 *
 * @param answered - whether an answer came all the same, by a proxy that resolves names itself
 */
export async function checkDns(hostname: string, answered: boolean): Promise<Check> {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host)) return ok('dns', `${host} is an address`);
  try {
    const addresses = await inTime(lookup(host, { all: true }));
    return ok('dns', `${host} is ${addresses.map(({ address }) => address).join(', ')}`);
  } catch (error) {
    if (answered) return skipped('dns', NOT_DIRECT);
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    return failed(
      'dns',
      `The name ${host} has no address (${code}).`,
      code === 'ENOTFOUND'
        ? 'The host name in QELOS_URL is mistyped, or this network does not know it (a VPN, a private zone).'
        : 'The name server of this machine does not answer.',
      `Run "nslookup ${host}" on this machine, and correct QELOS_URL.`,
    );
  }
}

/** A resolver that hangs cannot be told to stop; nobody waits for it. */
function inTime<T>(looking: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })), LOOK_MS);
    looking.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * For how long the certificate is good. Whether it is accepted shows in the call itself, which may have authorities of its
 * own; so it is not judged here.
 *
 * @param fault - code of the fault of the call, if it failed
 */
export async function checkCertificate(url: URL, fault: string | undefined): Promise<Check> {
  const refused = fault === undefined ? undefined : meaningOf(fault);
  if (fault !== undefined && refused === undefined) return skipped('tls', 'there is no connection');
  const validTo = await endOfCertificate(url);
  if (refused !== undefined) {
    const until = validTo === undefined ? '' : ` It says to be valid until ${dayOf(validTo)}.`;
    return failed('tls', `The certificate of ${url.host} was not accepted (${fault}).${until}`, ...refused);
  }
  if (validTo === undefined) return skipped('tls', NOT_DIRECT);
  const days = Math.floor((validTo.getTime() - Date.now()) / DAY_MS);
  const seen = `certificate valid for ${days} more ${days === 1 ? 'day' : 'days'} (until ${dayOf(validTo)})`;
  if (days >= WARN_DAYS) return ok('tls', seen);
  return warning(
    'tls',
    seen,
    'Where certificates are renewed automatically, this one should have been.',
    `Renew the certificate of ${url.hostname}: from its end on, no call gets through.`,
  );
}

/** What each code of Node's TLS means, and what to do about it. Codes: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const CERTIFICATE_FAULTS: Readonly<Record<string, readonly [meaning: string, next: string]>> = {
  CERT_HAS_EXPIRED: [
    'The certificate has ended, or the clock of this machine is wrong.',
    'Renew the certificate; compare "date -u" with the real time.',
  ],
  CERT_NOT_YET_VALID: ['The clock of this machine is behind, or the certificate is for later.', 'Set the clock.'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'The server has a certificate for another name. QELOS_URL names the wrong host, or traffic goes to the wrong server.',
    'Use the name that the certificate is for.',
  ],
  DEPTH_ZERO_SELF_SIGNED_CERT: [
    'The server signed its certificate itself.',
    'Set NODE_EXTRA_CA_CERTS to a file with that certificate, and start again.',
  ],
  SELF_SIGNED_CERT_IN_CHAIN: [
    'The certificate was issued by an authority that Node does not know: one of your company, or a proxy that opens TLS.',
    'Set NODE_EXTRA_CA_CERTS to a file with the certificate of that authority, and start again.',
  ],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: [
    'The authority that issued the certificate is not known to Node: one of your company, or a proxy that opens TLS.',
    'Set NODE_EXTRA_CA_CERTS to a file with the certificate of that authority, and start again.',
  ],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'The server does not send the certificates between its own and the authority.',
    'Have the server send its full chain; or set NODE_EXTRA_CA_CERTS to a file with the missing certificate.',
  ],
  EPROTO: [
    'What listens at this port does not speak TLS.',
    'Check the port in QELOS_URL; an instance on this machine may want http://.',
  ],
};

function meaningOf(code: string): readonly [meaning: string, next: string] | undefined {
  // Newer releases of Node have a code of OpenSSL where older ones have the general one.
  const known = code.startsWith('ERR_SSL_') ? 'EPROTO' : code;
  return Object.hasOwn(CERTIFICATE_FAULTS, known) ? CERTIFICATE_FAULTS[known] : undefined;
}

export function isCertificateFault(code: string): boolean {
  return meaningOf(code) !== undefined;
}

/** When the certificate that the host shows ends. Nothing is sent over the connection. */
function endOfCertificate({ hostname, port }: URL): Promise<Date | undefined> {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port: Number(port || 443),
      rejectUnauthorized: false, // an expired one has an end too
      ...(isIP(host) ? {} : { servername: host }),
    });
    const end = (validTo?: Date) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(validTo);
    };
    const timer = setTimeout(end, LOOK_MS);
    socket.once('error', () => end());
    socket.once('secureConnect', () => {
      const validTo = new Date(socket.getPeerCertificate().valid_to);
      end(Number.isNaN(validTo.getTime()) ? undefined : validTo);
    });
  });
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
