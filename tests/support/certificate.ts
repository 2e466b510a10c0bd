import { generate } from 'selfsigned';

/** A certificate for 127.0.0.1 and localhost that signs itself, in PEM. It is good for a year unless told. */
export async function selfSigned(validity: { notAfterDate?: Date } = {}): Promise<{ key: string; cert: string }> {
  const altNames = [
    { type: 7 as const, ip: '127.0.0.1' },
    { type: 2 as const, value: 'localhost' },
  ];
  const { private: key, cert } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    ...validity,
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames },
    ],
  });
  return { key, cert };
}
