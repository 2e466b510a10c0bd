import { type Fate, openUnsteadyWay, type UnsteadyWay } from './unsteady-way';
import { whenDone } from './when-done';

/** Opens a way as {@link openUnsteadyWay} does, until the test is done. */
export async function unsteady(port: number, fate: () => Fate, keepAlive = false): Promise<UnsteadyWay> {
  const way = await openUnsteadyWay(port, fate, keepAlive);
  whenDone(() => way.close());
  return way;
}
