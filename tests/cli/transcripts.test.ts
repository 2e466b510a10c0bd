import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { buildBefore, runCommand, runInTerminal, steady } from './command';
import { SCENARIOS, type Scenario } from './scenarios';

const DOCUMENT = resolve(__dirname, '../../docs/cli.md');

buildBefore();

interface Transcript {
  readonly name: string;
  /** Arguments of the command that it begins with. */
  readonly args: readonly string[];
  readonly text: string;
}

/** The consoles of the document, by the name after the language of their block. */
const TRANSCRIPTS = [
  ...readFileSync(DOCUMENT, 'utf8').matchAll(/^```console (\S+)\n\$ npx qelos-auth (.*)\n([\s\S]*?)^```$/gm),
].map(
  ([, name = '', line = '', text = '']): Transcript => ({
    name,
    args: [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? ''),
    text: text.trimEnd(),
  }),
);

/** Where a line of `doctor` is broken depends on the digits of ports and durations: it counts as one line here. */
function unfolded(text: string): string {
  return text.replace(/\n {17}/g, ' ');
}

async function outputOf(
  args: readonly string[],
  { place, typed }: Scenario,
): Promise<{ code: number | null; text: string; raw: string }> {
  if (typed) {
    const { code, screen, raw } = await runInTerminal(args, place, typed);
    return { code, text: screen, raw };
  }
  const { code, stdout, stderr } = await runCommand(args, place);
  return { code, text: `${stdout}${stderr}`.trimEnd(), raw: stdout + stderr };
}

test('docs/cli.md has exactly the transcripts that are run here', () => {
  expect(TRANSCRIPTS.map(({ name }) => name).sort()).toEqual(Object.keys(SCENARIOS).sort());
});

test.each(TRANSCRIPTS)(
  '$name prints, word for word, what docs/cli.md shows, and no secret',
  async ({ name, args, text }) => {
    const scenario = await (SCENARIOS[name] as () => Promise<Scenario>)();
    const printed = await outputOf(args, scenario);
    expect(unfolded(steady(printed.text, scenario.url, scenario.shown))).toBe(unfolded(text));
    expect(printed.code).toBe(scenario.code);
    for (const secret of scenario.secrets ?? []) expect(printed.raw).not.toContain(secret);
  },
  30_000,
);
