/** What a runtime was when the daemon before wrote it down. Pure. */
import type { AgentSettings } from '../agents/dialect.ts';
import type { Child } from '../process/ports.ts';
import type { RuntimeRecord } from '../session/ports.ts';
import type { RuntimeOrigin, RuntimePorts } from './ports.ts';
import { Reading } from './reading.ts';
import { readRow } from './row.ts';

/** Throws when the row cannot be read by this version. */
export function takenOver(
  ports: Pick<RuntimePorts, 'dialect' | 'bounds'>,
  what: { readonly from: RuntimeRecord; readonly child: Child; readonly settings: AgentSettings },
): RuntimeOrigin {
  const { from, child, settings } = what;
  const { dialect, skipping, prompt, reason } = readRow(from.state);
  const reading = new Reading({ maxLine: ports.bounds.maxLine, offset: from.offset, skipping });
  reading.lines = from.lines;
  reading.chunks = from.chunks;
  return {
    record: from,
    child,
    reading,
    settings,
    state: ports.dialect.revive(dialect),
    prompt,
    phase: from.phase === 'ending' ? 'ending' : 'ready',
    lastWrite: from.lastWrite,
    ...(reason === undefined ? {} : { reason }),
  };
}
