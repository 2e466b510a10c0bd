// Adds to package-lock.json the native packages of other platforms that the registry in use does not carry. npm leaves
// them out when it writes the file there, and `npm ci` then refuses the file. Their platform is read from their name.
// Run it after any `npm install` that changed the lockfile on such a machine; elsewhere it adds nothing.
import { readFile, writeFile } from 'node:fs/promises';

const systems = new Set('aix android darwin freebsd linux netbsd openbsd openharmony sunos wasi win32'.split(' '));
const processors = new Set('arm arm64 ia32 loong64 mips64el ppc64 riscv64 s390x wasm32 x64'.split(' '));

const lock = JSON.parse(await readFile('package-lock.json', 'utf8'));
const added = [];
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    if (Object.keys(lock.packages).some((path) => path.endsWith(`node_modules/${name}`))) continue;
    const words = name.split(/[-/.]/);
    const os = words.find((word) => systems.has(word));
    if (os === undefined || !/^\d/.test(version)) throw new Error(`cannot tell the platform of ${name}@${version}`);
    const cpu = words.find((word) => processors.has(word));
    const libc = words.some((word) => word.startsWith('musl')) ? 'musl' : undefined;
    lock.packages[`node_modules/${name}`] = {
      version,
      ...(cpu && { cpu: [cpu] }),
      ...(parent.dev && { dev: true }),
      ...(libc && { libc: [libc] }),
      optional: true,
      os: [os],
    };
    added.push(name);
  }
}
await writeFile('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
console.log(`added ${added.length} native packages of other platforms`);
