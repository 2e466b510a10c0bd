import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface MountedSecret {
  /** Where the plugin finds the file. */
  readonly file: string;
  /** Replaces the content as a kubelet does. */
  update(content: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * A mounted secret of one file, laid out and replaced as a kubelet does it
 * (https://kubernetes.io/docs/concepts/configuration/secret/#mounted-secrets-are-updated-automatically): `credential.json`
 * leads through the link `..data` to a folder of its own for each version. A new version is written beside the old one, the
 * link is replaced by a rename, at once for all files, and then the old folder goes.
 */
export async function mountSecret(content: string): Promise<MountedSecret> {
  const mount = await mkdtemp(join(tmpdir(), 'qelos-auth-mounted-file-'));
  const file = join(mount, 'credential.json');
  let versions = 0;
  const update = async (next: string) => {
    const old = join(mount, `..version_${versions}`);
    versions += 1;
    const name = `..version_${versions}`;
    await mkdir(join(mount, name));
    await writeFile(join(mount, name, 'credential.json'), next);
    await symlink(name, join(mount, '..data_tmp'));
    await rename(join(mount, '..data_tmp'), join(mount, '..data'));
    await rm(old, { recursive: true, force: true });
  };
  await update(content);
  await symlink(join('..data', 'credential.json'), file);
  return { file, update, close: () => rm(mount, { recursive: true, force: true }) };
}
