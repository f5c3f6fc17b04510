/** A journal file in a folder of its own, and sessions, turns and events to put into it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenJournal } from '../../src/journal/index.ts';
import type { TurnView } from '../../src/protocol/index.ts';
import type { Draft, Followed, Journal, SessionRecord } from '../../src/session/ports.ts';

export class JournalHome implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'pilotlight-journal-'));
  readonly path = join(this.folder, 'journal.db');
  readonly options = { path: this.path, keepDays: 30, maxMb: 1024, lockTimeoutMs: 200 };

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const NOW = '2026-01-02T03:04:05.678Z';

export function record(id: string, more: Partial<SessionRecord> = {}): SessionRecord {
  const spec = {
    id,
    agent: 'claude',
    cwd: '/work',
    mode: 'default' as const,
    agentOptions: {},
    metadata: {},
    env: [],
    credentials: [],
    createdAt: NOW,
  };
  return { id, spec, state: { v: 1 }, lastSeq: 0, closed: false, lastActivityAt: NOW, ...more };
}

export function turnRow(id: string, sessionId: string, more: Partial<TurnView> = {}): TurnView {
  return { id, sessionId, seq: 1, state: 'running', origin: 'user', createdAt: NOW, input: 'hello', ...more };
}

/** Events `from`..`to` of a session; the row too when it begins at 1. */
export function write(
  draft: Draft,
  session: string,
  [from, to]: readonly [number, number],
  text = 'x',
): void {
  if (from === 1) draft.session(record(session));
  for (let seq = from; seq <= to; seq += 1)
    draft.event({
      session,
      seq,
      time: NOW,
      type: 'notice',
      data: { level: 'info', code: 'test', message: text },
    });
}

export function delta(draft: Draft, place: { session: string; seq: number; turn: string }): void {
  draft.event({ ...place, time: NOW, type: 'message.delta', data: { message: 'm', text: 'word ' } });
}

export function seqsOf(page: ReturnType<Journal['events']>): number[] {
  return page.events.map(({ seq }) => seq);
}

/** `3` an event by seq, `1-2` a gap, `live 3`, `reset 3`. */
export function wordOf(one: Followed): string {
  switch (one.kind) {
    case 'event':
      return String(one.event.seq);
    case 'gap':
      return `${String(one.gap.from)}-${String(one.gap.to)}`;
    case 'live':
      return `live ${String(one.through)}`;
    case 'reset':
      return `reset ${String(one.lastSeq)}`;
  }
}

/** Takes words of a follower one batch at a time. */
export class Reader {
  readonly words: string[] = [];
  readonly #stop = new AbortController();
  readonly #batches: AsyncIterator<readonly Followed[]>;

  constructor(journal: OpenJournal, session: string | undefined, after = 0) {
    this.#batches = journal.follow(session, after, this.#stop.signal)[Symbol.asyncIterator]();
  }

  /** False when the iteration is over. */
  async take(): Promise<boolean> {
    const next = await this.#batches.next();
    if (next.done === true) return false;
    this.words.push(...next.value.map(wordOf));
    return true;
  }

  async until(word: string): Promise<this> {
    while (!this.words.includes(word)) if (!(await this.take())) throw new Error(`over before ${word}`);
    return this;
  }

  abort(): void {
    this.#stop.abort();
  }
}
