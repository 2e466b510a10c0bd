/** Why what a store holds counts as absent. */
export type RecordFault = 'RecordUnreadable' | 'RecordOfAnotherKey' | 'RecordOutdated';

/** Says that a store holds what cannot be used, and under which generation: what takes its place needs a greater one. */
export class StoredRecordError extends Error {
  readonly fault: RecordFault;
  readonly generation: number;

  constructor(fault: RecordFault, generation: number) {
    super(fault);
    this.fault = fault;
    this.generation = generation;
  }
}
