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
  report.line('instance', instance.server ? `${instance.url} (embedded; set QELOS_URL for a real one)` : instance.url);
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
        report.fault(
          isAuthError(error) ? error.code : `${step.name} failed: ${error instanceof Error ? error.message : error}`,
        );
      }
    }
  } finally {
    await instance.close();
  }
  if (!report.conclude()) process.exitCode = 1;
}

void main();
