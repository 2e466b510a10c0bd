// Compares the public API of each entry with its report in etc/, or writes the reports anew with --local.
import { readFileSync } from 'node:fs';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { ENTRIES, moduleOf } from './entries.mjs';

const localBuild = process.argv.includes('--local');
const configObjectFullPath = `${process.cwd()}/api-extractor.json`;
const template = ExtractorConfig.loadFile(configObjectFullPath);

/** Whether a type that an entry shows, and does not export, is one that users import from the main entry. */
function isOfTheMainEntry({ messageId, text }) {
  if (messageId !== 'ae-forgotten-export') return false;
  const [, name] = /symbol "(\w+)"/.exec(text);
  // Declared there, or a member of a namespace.
  return new RegExp(`^(?:export .*\\b(?:class|interface|type) ${name}\\b|        ${name},$)`, 'm').test(mainReport());
}

const mainReport = () => readFileSync('etc/qelos-auth.api.md', 'utf8');

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
  const { succeeded } = Extractor.invoke(config, {
    localBuild,
    messageCallback(message) {
      if (entry !== '' && isOfTheMainEntry(message)) message.logLevel = ExtractorLogLevel.None;
    },
  });
  if (!succeeded) process.exitCode = 1;
}
