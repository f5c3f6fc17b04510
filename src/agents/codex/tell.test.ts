import { expect, test } from 'vitest';
import type { SessionMode } from '../../protocol/index.ts';
import { start, type DrivenCodex } from '../../../test/support/driven-codex.ts';
import { codex } from './index.ts';
import type { CodexState } from './state.ts';

type Told = NonNullable<CodexState['told']>;
const TOLD: Told = { mode: 'default', model: 'gpt-5.5', judged: false, plain: true, closing: false };

function knowing(told: Partial<Told> = {}): DrivenCodex {
  const driven = start();
  driven.state = { ...driven.state, told: { ...TOLD, ...told } };
  return driven;
}

const settingsOf = ({ writes }: DrivenCodex): unknown[] =>
  writes.map(({ ref }) => (ref as { settings?: unknown }).settings);

test('a thread that an earlier version opened: what it goes by is not known, so it is not told', () => {
  const { told: _, ...older } = start().state;
  const driven = start();
  driven.state = codex.revive(JSON.parse(JSON.stringify(older)));
  driven.accept({ kind: 'settings', mode: 'plan' });
  expect([driven.writes.length, driven.signals[0]]).toMatchObject([0, { how: 'refused' }]);
});

test('a mode is its approval policy and its sandbox; where there are rules, it goes on asking', () => {
  const bypass = { approvalPolicy: 'never', sandboxPolicy: { type: 'dangerFullAccess' } };
  expect(settingsOf(knowing().accept({ kind: 'settings', mode: 'bypass' }))).toEqual([bypass]);
  const judged = knowing({ judged: true }).accept({ kind: 'settings', mode: 'bypass' });
  expect(settingsOf(judged)).toEqual([{ ...bypass, approvalPolicy: 'untrusted' }]);
});

test('a thread that is kept out of paths stays so in every mode that has a sandbox', () => {
  const told = (mode: SessionMode): unknown =>
    settingsOf(knowing({ mode: 'bypass', closing: true }).accept({ kind: 'settings', mode }))[0];
  for (const mode of ['default', 'acceptEdits'] as const)
    expect(told(mode)).toMatchObject({ permissions: 'pilotlight-workspace' });
  for (const mode of ['plan', 'readOnly'] as const)
    expect(told(mode)).toMatchObject({ permissions: 'pilotlight-read-only' });
  expect(told('plan')).not.toHaveProperty('sandboxPolicy');
  const away = knowing({ closing: true }).accept({ kind: 'settings', mode: 'bypass' });
  expect(settingsOf(away)).toMatchObject([{ sandboxPolicy: { type: 'dangerFullAccess' } }]);
});

test('a sandbox that the configuration describes comes with a start only; away from it can be told', () => {
  const driven = knowing({ plain: false, mode: 'plan' }).accept({ kind: 'settings', mode: 'default' });
  expect([driven.writes.length, driven.signals[0]]).toMatchObject([0, { how: 'refused' }]);
  const away = knowing({ plain: false }).accept({ kind: 'settings', mode: 'plan' });
  expect(settingsOf(away)).toMatchObject([{ sandboxPolicy: { type: 'readOnly' } }]);
  const model = knowing({ plain: false }).accept({ kind: 'settings', mode: 'default', model: 'other' });
  expect(settingsOf(model)).toEqual([{ model: 'other' }]);
});

test('out of a plan: the mode of collaboration is named, with the model that is asked for', () => {
  const driven = knowing({ mode: 'plan' }).accept({ kind: 'settings', mode: 'default', model: 'other' });
  expect(settingsOf(driven)).toMatchObject([
    { collaborationMode: { mode: 'default', settings: { model: 'other' } } },
  ]);
  expect(driven.state.plan).toBe(false);
});

test('taken when all is answered, refused in its words; a second answer is passed over', () => {
  const driven = knowing().accept({ kind: 'settings', mode: 'plan' });
  expect(driven.signals).toEqual([]);
  driven.answer({ result: {} }).answer({ result: {} });
  expect(driven.signals).toEqual([{ kind: 'settings', how: 'taken' }]);
  const refused = knowing().accept({ kind: 'settings', mode: 'plan' });
  refused.answer({ error: { code: -32_600, message: 'not today' } });
  expect(refused.signals).toEqual([{ kind: 'settings', how: 'refused', message: 'Codex says: not today' }]);
});

test('more changes than can be kept without an answer: refused, the state stays small', () => {
  const driven = knowing();
  for (let n = 0; n < 100; n += 1) driven.accept({ kind: 'settings', mode: n % 2 === 0 ? 'plan' : 'bypass' });
  expect(driven.state.pending.length).toBeLessThanOrEqual(32);
  expect(driven.signals.at(-1)).toMatchObject({ how: 'refused' });
});
