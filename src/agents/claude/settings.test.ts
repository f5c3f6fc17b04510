import { expect, test } from 'vitest';
import { start, TURN, type DrivenClaude } from '../../../test/support/driven-claude.ts';
import { claude } from './index.ts';

const TOLD = { mode: 'default', model: 'model-one', bypass: false };

function knowing(told: typeof TOLD = TOLD): DrivenClaude {
  const driven = start();
  driven.state = { ...driven.state, told };
  return driven;
}

const answer = (id: string, error?: string): object => ({
  type: 'control_response',
  response:
    error === undefined
      ? { subtype: 'success', request_id: id, response: {} }
      : { subtype: 'error', request_id: id, error },
});

function idsOf({ state }: DrivenClaude): readonly string[] {
  return state.tuning;
}

test('a process that an earlier version started: what it goes by is not known, so it is not told', () => {
  const { told: _, tuning: __, ...older } = start().state;
  const driven = start();
  driven.state = claude.revive(JSON.parse(JSON.stringify(older)));
  driven.accept({ kind: 'settings', mode: 'plan' });
  expect(driven.writes).toEqual([]);
  expect(driven.signals).toMatchObject([{ kind: 'settings', how: 'refused' }]);
});

test('mode and model: taken when both are answered, in either order', () => {
  const driven = knowing().accept({ kind: 'settings', mode: 'plan', model: 'model-two' });
  expect(driven.writes.map(({ ref }) => ref)).toMatchObject([
    { body: { subtype: 'set_permission_mode', mode: 'plan' } },
    { body: { subtype: 'set_model', model: 'model-two' } },
  ]);
  const [first = '', second = ''] = idsOf(driven);
  driven.line(answer(second));
  expect(driven.signals).toEqual([]);
  driven.line(answer(first));
  expect(driven.signals).toEqual([{ kind: 'settings', how: 'taken' }]);
});

test('a refusal is told in its words; answers that come twice or to nothing are passed over', () => {
  const driven = knowing().accept({ kind: 'settings', mode: 'plan' });
  const [id = ''] = idsOf(driven);
  for (const line of [answer(id, 'not today'), answer(id), answer('settings-7'), answer('settings-')])
    driven.line(line);
  expect(driven.signals).toEqual([{ kind: 'settings', how: 'refused', message: 'Claude says: not today' }]);
});

test('bypass is for a process that was started to: it goes there and back, another is left for a start', () => {
  const free = knowing({ ...TOLD, bypass: true }).accept({ kind: 'settings', mode: 'bypass' });
  expect(free.writes.map(({ ref }) => ref)).toMatchObject([{ body: { mode: 'bypassPermissions' } }]);
  const bound = knowing().accept({ kind: 'settings', mode: 'bypass' });
  expect([bound.writes.length, bound.signals[0]]).toMatchObject([0, { how: 'refused' }]);
});

test('more changes than can be kept without an answer: refused, the state stays small', () => {
  const driven = knowing();
  for (let n = 0; n < 100; n += 1)
    driven.accept({ kind: 'settings', mode: n % 2 === 0 ? 'plan' : 'default' });
  expect(idsOf(driven).length).toBeLessThanOrEqual(16);
  expect(driven.signals.at(-1)).toMatchObject({ kind: 'settings', how: 'refused' });
});

test('what a change of the model prints is the receipt of no message', () => {
  const driven = knowing().prompt();
  const content = '<local-command-stdout>Set model to model-two</local-command-stdout>';
  driven.line({ type: 'user', message: { role: 'user', content }, isReplay: true });
  expect(driven.signals).toEqual([]);
  driven.init();
  expect(driven.signals).toContainEqual({ kind: 'receipt', turn: TURN });
});
