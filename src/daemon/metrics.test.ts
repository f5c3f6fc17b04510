import { expect, test } from 'vitest';
import type { StatusView } from '../protocol/index.ts';
import type { Followed } from '../session/ports.ts';
import { openMetrics } from './metrics.ts';

const STATUS: StatusView = {
  daemon: {
    pid: 1,
    version: '1',
    startedAt: '2026-01-01T00:00:00.000Z',
    home: '/home/secret-place',
    generation: 1,
    rssMb: 2,
    state: 'running',
  },
  pool: {
    maxWarm: 4,
    waiting: 1,
    leases: [
      { runtime: 'rt_1', sessions: ['ses_1'], pid: 7, rssMb: 3, idleMs: 1, evictable: true, reason: 'idle' },
      { runtime: 'rt_2', sessions: ['ses_2'], idleMs: 0, evictable: false, reason: 'a turn runs' },
    ],
  },
  sessions: { open: 3, working: 1 },
  journal: { bytes: 10, events: 20, epoch: 'e', full: false },
};

function event(type: string, data: object, session = 'ses_1'): Followed {
  const json = JSON.stringify({ session, seq: 1, time: '2026-01-01T00:00:00.000Z', type, data });
  return { kind: 'event', event: { cursor: 1, session, seq: 1, type, json } };
}

test('turns, tokens, money, starts, ends and requests are counted by agent; what somebody wrote is in none of it', async () => {
  const told = Promise.withResolvers<void>();
  async function* follow(
    _types: ReadonlySet<string>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Followed[]> {
    const usage = { inputTokens: 10, outputTokens: 5, cacheReadTokens: 2, totalTokens: 15 };
    const costs = { usage, costUsd: 0.5, ttftMs: 40, durationMs: 900 };
    yield [
      event('message.delta', { message: 'm', text: 'made-up-words' }),
      event('turn.completed', { ...costs, stopReason: 'end_turn', text: 'made-up-words' }),
      event('turn.failed', { durationMs: 5, code: 'auth_failed', message: 'made-up-words', effects: 'none' }),
      event('turn.interrupted', { durationMs: 5, by: { kind: 'client', name: 'made-up-name' } }, 'ses_gone'),
      event('turn.completed', { nothing: 'of it is known' }),
    ];
    yield [
      event('runtime.started', { kind: 'stream', pid: 7, agent: 'claude', startupMs: 300, resumed: false }),
      event('runtime.ended', { pid: 7, reason: 'idle', lines: 1, chunks: 1 }),
      event('permission.resolved', {
        id: 'p',
        decision: 'allow',
        by: { kind: 'client', name: 'made-up-name' },
      }),
    ];
    told.resolve();
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  }
  const errors: unknown[] = [];
  using metrics = openMetrics({
    follow,
    agentOf: (session) => {
      if (session === 'ses_gone') throw new Error('gone');
      return 'claude';
    },
    status: () => Promise.resolve(STATUS),
    report: (error) => errors.push(error),
  });
  await told.promise;
  const text = await metrics.text();
  for (const line of [
    'pilotlight_turns_total{agent="claude",state="completed",code=""} 1',
    'pilotlight_turns_total{agent="claude",state="failed",code="auth_failed"} 1',
    'pilotlight_turns_total{agent="unknown",state="interrupted",code=""} 1',
    'pilotlight_tokens_total{agent="claude",kind="input"} 10',
    'pilotlight_tokens_total{agent="claude",kind="cache_read"} 2',
    'pilotlight_cost_usd_total{agent="claude"} 0.5',
    'pilotlight_turn_first_token_seconds_bucket{le="0.05",agent="claude"} 1',
    'pilotlight_turn_duration_seconds_count{agent="claude"} 2',
    'pilotlight_runtime_startup_seconds_sum{agent="claude"} 0.3',
    'pilotlight_runtime_ends_total{agent="claude",reason="idle"} 1',
    'pilotlight_permissions_total{agent="claude",decision="allow",by="client"} 1',
    'pilotlight_runtimes{evictable="true"} 1',
    'pilotlight_runtimes{evictable="false"} 1',
    'pilotlight_sessions{state="working"} 1',
    'pilotlight_sessions{state="idle"} 2',
    'pilotlight_sessions_waiting 1',
    'pilotlight_resident_memory_bytes 2097152',
    'pilotlight_journal_events 20',
  ])
    expect(text.split('\n')).toContain(line);
  expect(text).not.toMatch(/made-up|ses_|secret-place/);
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(samples.every((line) => /^pilotlight_[a-z_]+(?:\{[^}]*\})? \S+$/.test(line))).toBe(true);
  expect(errors).toEqual([]);
});
