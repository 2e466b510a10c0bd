// Compares the public API of each entry with its report in etc/, or writes the reports anew with --local.
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { ENTRIES, moduleOf } from './entries.mjs';

const localBuild = process.argv.includes('--local');
const configObjectFullPath = `${process.cwd()}/api-extractor.json`;
const template = ExtractorConfig.loadFile(configObjectFullPath);

for (const entry of ENTRIES) {
  const config = ExtractorConfig.prepare({
    configObject: {
      ...template,
      mainEntryPointFilePath: `<projectFolder>/dist/${moduleOf(entry)}.d.ts`,
      apiReport: {
        ...template.apiReport,
        reportFileName: `<unscopedPackageName>${entry && '-'}${entry.replaceAll('/', '-')}.api.md`,
      },
    },
    configObjectFullPath,
    packageJsonFullPath: `${process.cwd()}/package.json`,
  });
  const { succeeded } = Extractor.invoke(config, { localBuild });
  if (!succeeded) process.exitCode = 1;
}
