/** Processes of one moment (a try of `doctor`), ended with it; of no home. */
import { createDirectHost } from '../process/index.ts';
import { newId } from '../protocol/index.ts';

export function passingHost(): ReturnType<typeof createDirectHost> {
  return createDirectHost({
    homeId: newId('home'),
    ladder: { termAfterMs: 300, killAfterMs: 1000, stuckAfterMs: 1000 },
  });
}
