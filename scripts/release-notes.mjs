// Prints what CHANGELOG.md says of the version that a tag names: `node scripts/release-notes.mjs v0.2.0`. Fails unless package.json
// has that version and its section has a date, so that nothing is published by a tag alone.
import { readFileSync } from 'node:fs';

const [tag = ''] = process.argv.slice(2);
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const [, title = '', notes = ''] =
  readFileSync('CHANGELOG.md', 'utf8')
    .split(/^## /m)
    .map((section) => /^(\[(.+?)\].*)\n([\s\S]*)$/.exec(section))
    .filter((match) => match?.[2] === version)
    .map((match) => [match[0], match[1], match[3]])[0] ?? [];

const fault =
  tag !== `v${version}`
    ? `The tag is ${tag || 'missing'}, and package.json says ${version}: tag the release v${version}.`
    : title === ''
      ? `CHANGELOG.md has no section [${version}].`
      : !/ - \d{4}-\d\d-\d\d$/.test(title)
        ? `The section of CHANGELOG.md is headed "${title}": give it the date of the release, as in "[${version}] - 2027-01-31".`
        : undefined;
if (fault === undefined) {
  console.log(notes.trim());
} else {
  console.error(fault);
  process.exitCode = 1;
}
