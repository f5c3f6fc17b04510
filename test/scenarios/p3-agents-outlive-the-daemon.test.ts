import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkJournal, TestDaemon, testHome, textOf } from '../support/daemon.ts';
import { identityOf, isAlive } from '../support/processes.ts';

/**
 * P3: kill -9 the daemon in mid-turn; the next one takes the agent over by itself, and the turn's events are complete, in order, each once.
 */
for (const agent of ['claude', 'codex'] as const) {
  test(`${agent}: killed in mid-stream, the same process finishes the turn under the next daemon`, async () => {
    await using home = testHome();
    const first = await TestDaemon.start(home);
    const session = await first.session(agent);
    const gate = join(home.cwd, 'gate');
    const turn = await first.send(session, `say the beginning then hold ${gate} then say the end`);
    await first.follow(session, (event) => event.type === 'message.delta');
    const started = (await first.events(session)).find((event) => event.type === 'runtime.started');
    const pid: number = started?.data['pid'];
    const identity = identityOf(pid);
    await first.kill9();
    writeFileSync(gate, '');
    const daemon = await TestDaemon.takeOver(home);
    const events = await daemon.ending(session, turn);
    expect(events.at(-1)?.type).toBe('turn.completed');
    expect(textOf(events, turn)).toContain('the beginning');
    expect(textOf(events, turn)).toContain('the end');
    checkJournal(events);
    const again = await daemon.turn(session, 'say still here');
    expect(again.data['text']).toContain('still here');
    const starts = (await daemon.events(session)).filter((event) => event.type === 'runtime.started');
    expect(starts).toHaveLength(1);
    expect(identity !== undefined && isAlive(identity)).toBe(true);
    await daemon.stop();
    expect(identity !== undefined && isAlive(identity)).toBe(false);
  });
}

test('killed while the agent floods: nothing is missing, nothing comes twice', async () => {
  await using home = testHome();
  const first = await TestDaemon.start(home);
  const session = await first.session('claude');
  const turn = await first.send(session, 'flood 40000 lines of 100 bytes');
  await first.follow(session, (event) => event.type === 'message.delta');
  await first.kill9();
  const daemon = await TestDaemon.takeOver(home);
  const events = await daemon.ending(session, turn);
  checkJournal(events);
  const deltas = events
    .filter((event) => event.turn === turn && event.type === 'message.delta')
    .map((event) => String(event.data['text']));
  const whole = events.find((event) => event.turn === turn && event.type === 'message.completed');
  expect(deltas.join('')).toBe(whole?.data['text']);
  await daemon.stop();
});
