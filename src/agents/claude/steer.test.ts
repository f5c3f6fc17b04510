/** Messages for the turn that runs. */
import { expect, test } from 'vitest';
import { uuidOf } from '../../protocol/index.ts';
import { NEXT, start, TURN } from '../../../test/support/driven-claude.ts';

const LATE = 'trn_0192f0c1000070008000000000000003';

test('waits while text streams, and is written when a tool runs', () => {
  const claude = start().running().accept({ kind: 'steer', turn: NEXT });
  expect(claude.writes).toEqual([]);
  claude.delta('still');
  expect(claude.writes).toEqual([]);
  claude.tool('t1', 'Bash');
  expect(claude.writes).toMatchObject([{ kind: 'prompt', ref: { turn: NEXT } }]);
  expect(claude.of('steer')).toEqual([{ kind: 'steer', turn: NEXT, how: 'written' }]);
});

test('is written at once while a tool runs, and not any more when it has returned', () => {
  const claude = start().running().tool('t1', 'Bash').accept({ kind: 'steer', turn: NEXT });
  expect(claude.writes).toHaveLength(1);
  claude.returned('t1', 'ok').accept({ kind: 'steer', turn: LATE });
  expect(claude.writes).toHaveLength(1);
});

test('one that the result names was taken into the turn, and gets no ending of its own', () => {
  const claude = start().running().tool('t1', 'Bash').accept({ kind: 'steer', turn: NEXT }).forget();
  claude.returned('t1', 'ok').result({ user_message_uuids: [uuidOf(TURN), uuidOf(NEXT)] });
  expect(claude.of('steer')).toEqual([{ kind: 'steer', turn: NEXT, how: 'taken' }]);
  expect(claude.of('ended')).toMatchObject([{ turn: TURN }]);
  expect(claude.state.turns).toEqual([]);
});

test('one that came behind the tool runs as a turn of its own', () => {
  const claude = start().running().tool('t1', 'Bash').accept({ kind: 'steer', turn: NEXT }).forget();
  claude.returned('t1', 'ok').result({ user_message_uuids: [uuidOf(TURN)] });
  expect(claude.of('steer')).toEqual([]);
  expect(claude.of('ended')).toMatchObject([{ turn: TURN }]);
  claude.forget().result({ user_message_uuids: [uuidOf(NEXT)] });
  expect(claude.of('ended')).toMatchObject([{ turn: NEXT }]);
});

test('one that could not be written before the turn ended is missed', () => {
  const claude = start().running().accept({ kind: 'steer', turn: NEXT }).result();
  expect(claude.writes).toEqual([]);
  expect(claude.signals.map((signal) => signal.kind)).toContain('steer');
  expect(claude.of('steer')).toEqual([{ kind: 'steer', turn: NEXT, how: 'missed' }]);
});

test('one that is taken back is never written', () => {
  const claude = start().running().accept({ kind: 'steer', turn: NEXT });
  claude.accept({ kind: 'unsteer', turn: NEXT }).tool('t1', 'Bash').result();
  expect(claude.writes).toEqual([]);
  expect(claude.of('steer')).toEqual([]);
});

test('nothing is written behind an interrupt', () => {
  const claude = start()
    .running()
    .accept({ kind: 'steer', turn: NEXT })
    .accept({ kind: 'interrupt' })
    .forget();
  claude.tool('t1', 'Bash');
  expect(claude.writes).toEqual([]);
});
