const { appendFileSync } = require('node:fs');

/** Writes each result as soon as it is there, one a line, so that none is lost when the run is cut short. */
module.exports = class NaiveReporter {
  onTestCaseResult(_test, { fullName, status, failureMessages }) {
    this.#write({ fullName, status, failureMessages });
  }

  onTestFileResult({ path }, { testExecError }) {
    if (testExecError) this.#write({ broken: path, reason: testExecError.message });
  }

  #write(result) {
    appendFileSync(process.env.NAIVE_RESULTS, `${JSON.stringify(result)}\n`);
  }
};
