/**
 * From the journal to living sessions: what a new daemon does with what the one before left.
 * Every runtime is taken over, or its end is written; a turn whose process is gone gets its ending. A turn always has a runtime's row:
 * the one it runs in, or the one that is being started for it, written in the same commit.
 */
import { messageOf } from '../protocol/index.ts';
import type { Journal, RuntimeInput, RuntimeRecord, SessionRecord } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import type { HostedProcess } from './ports.ts';

export interface Recovery {
  readonly journal: Journal;
  readonly session: (record: SessionRecord) => Session;
  /** Its sessions speak to it from then on. */
  readonly runtime: (sessions: readonly Session[], record: RuntimeRecord) => HostedProcess;
  readonly report: (error: unknown) => void;
}

/** Resolves when every session can be commanded. */
export async function recover(recovery: Recovery): Promise<void> {
  const sessions = reviveAll(recovery);
  const adopted = recovery.journal.runtimes().map((record) => adopt(recovery, sessions, record));
  await Promise.all(adopted);
  wakeWaiting(recovery, sessions);
}

/** Turns that waited when a daemon stopped, in sessions whose processes it had ended. */
function wakeWaiting(recovery: Recovery, sessions: Map<string, Session>): void {
  for (const id of recovery.journal.sessionsWithOpenTurns()) {
    const record = sessions.has(id) ? undefined : recovery.journal.session(id);
    if (record !== undefined) revive(recovery, sessions, record);
    sessions.get(id)?.submit({ kind: 'wake' }).catch(recovery.report);
  }
}

/** Only sessions with a process: one without is in the journal alone until somebody commands it. */
function reviveAll(recovery: Recovery): Map<string, Session> {
  const sessions = new Map<string, Session>();
  for (const runtime of recovery.journal.runtimes())
    for (const id of runtime.sessions) {
      const record = sessions.has(id) ? undefined : recovery.journal.session(id);
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

/** An agent that this version does not know: its turns end, and what is left of its process is ended as unclaimed. */
function made(
  recovery: Recovery,
  sessions: readonly Session[],
  record: RuntimeRecord,
): HostedProcess | undefined {
  try {
    return recovery.runtime(sessions, record);
  } catch (error) {
    recovery.report(error);
    const { pid = 0, lines, chunks } = record;
    const message = `Runtime ${record.id} could not be taken over: ${messageOf(error)}`;
    recovery.journal
      .commit((draft) => {
        for (const session of sessions) {
          const { runtime, turn } = session.state;
          const id = runtime.kind === 'none' ? record.id : runtime.id;
          const input: RuntimeInput =
            turn.kind === 'running'
              ? { kind: 'runtime-ended', runtime: id, pid, reason: 'crashed', lost: true, lines, chunks }
              : { kind: 'runtime-failed', runtime: id, code: 'takeover_failed', message, retry: false };
          session.apply(draft, [input]);
        }
        draft.dropRuntime(record.id);
      })
      .catch(recovery.report);
    return undefined;
  }
}

/** Whose it might have become is forgotten with the daemon that started it, or the last of its sessions has left it; no message is in it. What is left of it is ended as unclaimed. */
async function dropSpare({ journal, report }: Recovery, { id }: RuntimeRecord): Promise<void> {
  await journal
    .commit((draft) => {
      draft.dropRuntime(id);
    })
    .catch(report);
}

async function adopt(
  recovery: Recovery,
  revived: ReadonlyMap<string, Session>,
  record: RuntimeRecord,
): Promise<void> {
  if (record.sessions.length === 0) return dropSpare(recovery, record);
  const sessions = record.sessions.flatMap((id) => revived.get(id) ?? []);
  if (sessions.length === 0 && record.kind !== 'shared') return;
  const runtime = made(recovery, sessions, record);
  if (runtime === undefined) return;
  const adopted = runtime.adopt(record, recovery.journal.outboxOf(record.id)).catch(recovery.report);
  // One that was starting or ending is waited for by its own sessions only: ending it may take seconds.
  if (record.phase === 'ready') await adopted;
}
