/**
 * From the journal to living sessions: what a new daemon does with what the one before left.
 * Every open session lives again; every runtime is taken over, or its end is written; a turn whose process is gone gets its ending.
 */
import type { Journal, SessionRecord } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import type { HostedRuntime } from './ports.ts';

export interface Recovery {
  readonly journal: Journal;
  readonly session: (record: SessionRecord) => Session;
  readonly runtime: (session: Session, id: string) => HostedRuntime;
  readonly report: (error: unknown) => void;
}

/** Resolves when every session can be commanded. */
export async function recover(recovery: Recovery): Promise<void> {
  const sessions = reviveAll(recovery);
  const adopted = recovery.journal.runtimes().map((record) => adopt(recovery, sessions, record));
  await Promise.all(adopted);
  await Promise.all([...sessions.values()].map((session) => settle(recovery, session)));
}

function reviveAll(recovery: Recovery): Map<string, Session> {
  const sessions = new Map<string, Session>();
  let after: string | undefined;
  for (;;) {
    const records = recovery.journal.sessions({
      closed: false,
      limit: 1000,
      ...(after === undefined ? {} : { after }),
    });
    for (const record of records) revive(recovery, sessions, record);
    after = records.at(-1)?.id;
    if (records.length < 1000) break;
  }
  // A closed session whose process was still ending is needed until that is over.
  for (const runtime of recovery.journal.runtimes()) {
    const id = runtime.sessions[0];
    const record = id === undefined || sessions.has(id) ? undefined : recovery.journal.session(id);
    if (record !== undefined) revive(recovery, sessions, record);
  }
  return sessions;
}

/** One session that cannot be read does not keep the others from living. */
function revive(recovery: Recovery, sessions: Map<string, Session>, record: SessionRecord): void {
  try {
    sessions.set(record.id, recovery.session(record));
  } catch (error) {
    recovery.report(error);
  }
}

async function adopt(
  recovery: Recovery,
  sessions: ReadonlyMap<string, Session>,
  record: ReturnType<Journal['runtimes']>[number],
): Promise<void> {
  const session = sessions.get(record.sessions[0] ?? '');
  if (session === undefined) return;
  const runtime = recovery.runtime(session, record.id);
  session.adopt(runtime);
  const adopted = runtime.adopt(record, recovery.journal.outboxOf(record.id)).catch(recovery.report);
  // One that was starting or ending is waited for by its own session only: ending it may take seconds.
  if (record.phase === 'ready') await adopted;
}

/** A session that believes in a runtime of which there is no row. */
async function settle(recovery: Recovery, session: Session): Promise<void> {
  const { runtime } = session.state;
  if (runtime.kind === 'none') return;
  if (recovery.journal.runtimes().some((record) => record.id === runtime.id)) return;
  const pid = runtime.kind === 'ready' ? runtime.pid : 0;
  await session
    .submit({
      kind: 'runtime-ended',
      runtime: runtime.id,
      pid,
      reason: 'crashed',
      lost: true,
      lines: 0,
      chunks: 0,
    })
    .catch(recovery.report);
}
