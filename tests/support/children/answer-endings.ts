import { undici } from 'qelos-auth/undici';
import { answerCases, outcomeOf, startAnswerServer } from '../answer-endings';

/** Gets every answer over undici, alone in its process: what nobody catches ends it. */
async function main(): Promise<void> {
  const server = await startAnswerServer();
  const outcomes: string[] = [];
  for (const answer of answerCases) {
    outcomes.push(await outcomeOf(server.url, answer, { transport: undici() }));
  }
  server.close();
  console.log(
    JSON.stringify({ calls: outcomes.length, hung: outcomes.filter((outcome) => outcome === 'hung').length }),
  );
}

main();
