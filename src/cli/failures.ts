/** The command was called wrongly, or its settings cannot be used: exit code 2. Holds no secret. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  /** @param hint - what to do about it */
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

/** The command was right and could not be carried out: exit code 1. Holds no secret. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';

  /** @param hint - what to do about it */
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}
