// An example plugin at work. Without QELOS_URL it starts an embedded Qelos, so it needs nothing but `npm ci`.
//
// With QELOS_URL it talks to that instance: QELOS_API_TOKEN, QELOS_USERNAME and QELOS_PASSWORD say as whom, and
// QELOS_DEMO_BLUEPRINT names a blueprint whose entities it may create (and removes again).
import { isAuthError } from 'qelos-auth';
import { openInstance } from './instance';
import { Report } from './report';
import * as steps from './steps';

async function main(): Promise<void> {
  const report = new Report();
  const instance = await openInstance();
  console.log('qelos-auth: an example plugin at work');
  report.line(
    'instance',
    `${originOf(instance.url)}${instance.server ? ' (embedded; set QELOS_URL for a real one)' : ''}`,
  );
  if (!instance.withToken && !instance.withPassword) {
    report.fault('there is nothing to sign in with: set QELOS_API_TOKEN, or QELOS_USERNAME and QELOS_PASSWORD');
  }
  try {
    for (const step of [
      steps.withApiToken,
      steps.withPassword,
      steps.expiryUnderLoad,
      steps.revokedToken,
      steps.wrongPassword,
      steps.missingRole,
      steps.wrongUrl,
    ]) {
      try {
        await step(report, instance);
      } catch (error) {
        report.error(error);
        const reason = isAuthError(error) ? error.code : error instanceof Error ? error.message : String(error);
        report.fault(`${step.name} failed: ${reason}`);
      }
    }
  } finally {
    await instance.close();
  }
  if (!report.conclude()) process.exitCode = 1;
}

/** A URL without a user name or password that somebody may have left in it. */
function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'no URL';
}

void main();
