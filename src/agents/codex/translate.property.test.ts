/** Lines of real recordings, dropped, repeated and mixed up: nothing throws, no turn ends twice, the state can always be read back. */
import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AgentCommand, AgentSignal } from '../../session/ports.ts';
import { codex } from './index.ts';
import { newState } from './state.ts';

const FOLDER = new URL('../../../test/golden/codex/', import.meta.url);
const THREAD = 'the-thread';

/** What Codex says, of one thread and with answers to whatever was asked last. */
const LINES = readdirSync(FOLDER)
  .filter((name) => /^(01|04|05|06|07|08-error-cut|09)/.test(name))
  .flatMap((name) => readFileSync(new URL(name, FOLDER), 'utf8').split('\n'))
  .filter((line) => line.startsWith('< {'))
  .map((line) => line.slice(2).replace(/"threadId":"[^"]*"/, `"threadId":"${THREAD}"`));

const line = fc.nat(LINES.length - 1).map((at) => ({ line: LINES[at] ?? '' }));
const turn = fc.nat(5).map((n) => `trn_${String(n).padStart(32, '0')}`);
const command: fc.Arbitrary<AgentCommand> = fc.oneof(
  turn.map((turn) => ({ kind: 'prompt', turn }) as const),
  fc.constant({ kind: 'interrupt' } as const),
  fc.record({
    kind: fc.constant('answer' as const),
    request: fc.nat(9).map(String),
    answer: fc.record({ decision: fc.constantFrom('allow' as const, 'deny' as const) }),
  }),
);
/** A run of neighbouring lines keeps the order that makes turns; single ones break it. */
const run = fc
  .tuple(fc.nat(LINES.length - 1), fc.integer({ min: 1, max: 40 }))
  .map(([from, count]) => LINES.slice(from, from + count).map((line) => ({ line })));
const steps = fc.array(
  fc.oneof(
    run,
    line.map((one) => [one]),
    command.map((one) => [one]),
  ),
  { maxLength: 30 },
);

test('whatever the order', () => {
  fc.assert(
    fc.property(steps, (groups) => {
      expect(faultsOf(groups.flat())).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

function faultsOf(steps: readonly ({ readonly line: string } | AgentCommand)[]): string[] {
  let state = newState({ thread: THREAD, model: null, effort: null, plan: false });
  let id = 0;
  const ids = { next: () => (id += 1) };
  const open = new Map<string, number>();
  const faults: string[] = [];
  for (const one of steps) {
    const step = 'line' in one ? codex.translate(state, one.line, ids) : codex.accept(state, one, ids);
    if ('kind' in one && one.kind === 'prompt') open.set(one.turn, (open.get(one.turn) ?? 0) + 1);
    state = codex.revive(JSON.parse(JSON.stringify(step.state)));
    if (!isDeepStrictEqual(state, step.state)) faults.push('not revived');
    for (const signal of step.signals) faults.push(...endings(open, signal));
  }
  return faults;
}

/** A prompt ends at most as often as it was said. */
function endings(open: Map<string, number>, signal: AgentSignal): string[] {
  if (signal.kind !== 'ended' || signal.turn === undefined) return [];
  const left = (open.get(signal.turn) ?? 0) - 1;
  open.set(signal.turn, left);
  return left < 0 ? [`${signal.turn} ended too often`] : [];
}
