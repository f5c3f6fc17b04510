import { expect, test } from 'vitest';
import type { TestDaemon } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';

/** P12: what a turn costs is on its ending and on /metrics. */

let daemon: TestDaemon;
daemonForAll((made) => {
  ({ daemon } = made);
});

test.each(['claude', 'codex'])('%s: the ending and the counters say the same', async (agent) => {
  const session = await daemon.session(agent);
  const ending = await daemon.turn(session, 'say hello there');
  expect(ending.type).toBe('turn.completed');
  const { usage, ttftMs, durationMs } = ending.data;
  const { status, body, headers } = await daemon.request('GET', '/metrics');
  expect([status, headers.get('content-type')]).toEqual([200, expect.stringContaining('text/plain')]);
  const sample = (name: string): number =>
    Number(
      body
        .split('\n')
        .find((line: string) => line.startsWith(`${name} `))
        ?.split(' ')[1],
    );
  expect(sample(`pilotlight_turns_total{agent="${agent}",state="completed",code=""}`)).toBe(1);
  expect(sample(`pilotlight_tokens_total{agent="${agent}",kind="output"}`)).toBe(usage.outputTokens);
  expect(sample(`pilotlight_turn_first_token_seconds_sum{agent="${agent}"}`)).toBeCloseTo(ttftMs / 1000, 3);
  expect(sample(`pilotlight_turn_duration_seconds_sum{agent="${agent}"}`)).toBeCloseTo(durationMs / 1000, 3);
  expect(sample(`pilotlight_runtime_startup_seconds_count{agent="${agent}"}`)).toBe(1);
  expect(
    sample('pilotlight_runtimes{evictable="false"}') + sample('pilotlight_runtimes{evictable="true"}'),
  ).toBe((await daemon.request('GET', '/v1/status')).body.pool.leases.length);
});

test('without a token there are no metrics', async () => {
  expect((await fetch(`${daemon.url}/metrics`)).status).toBe(401);
});
