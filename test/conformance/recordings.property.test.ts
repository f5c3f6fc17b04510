/** Lines of real recordings, dropped, repeated and mixed up, with commands in between: every step keeps the port's promises, no turn ends oftener than it was said. */
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { claude } from '../../src/agents/claude/index.ts';
import { newState as newClaude } from '../../src/agents/claude/state.ts';
import { codex } from '../../src/agents/codex/index.ts';
import { newState as newCodex } from '../../src/agents/codex/state.ts';
import type { Dialect } from '../../src/agents/dialect.ts';
import { uuidOf } from '../../src/protocol/index.ts';
import type { AgentCommand } from '../../src/session/ports.ts';
import { strict } from './strict.ts';

type One = { readonly line: string } | AgentCommand;

const TURNS = [0, 1, 2, 3].map((n) => `trn_${String(n).padStart(32, '0')}`);
const THREAD = 'the-thread';

/** What an agent said in the recordings whose names fit, as if it had been said to us. */
function linesOf(agent: string, fits: RegExp, ours: (line: string) => string): string[] {
  const folder = new URL(`../golden/${agent}/`, import.meta.url);
  return readdirSync(folder)
    .filter((name) => fits.test(name))
    .flatMap((name) => readFileSync(new URL(name, folder), 'utf8').split('\n'))
    .filter((line) => line.startsWith('< {'))
    .map((line) => ours(line.slice(2)));
}

const turn = fc.constantFrom(...TURNS);
const command: fc.Arbitrary<AgentCommand> = fc.oneof(
  turn.map((one) => ({ kind: 'prompt', turn: one }) as const),
  turn.map((one) => ({ kind: 'steer', turn: one }) as const),
  turn.map((one) => ({ kind: 'unsteer', turn: one }) as const),
  fc.constant({ kind: 'interrupt' } as const),
  fc.record({
    kind: fc.constant('answer' as const),
    request: fc.nat(9).map(String),
    answer: fc.record({ decision: fc.constantFrom('allow' as const, 'deny' as const) }),
  }),
);

/** A run of neighbouring lines keeps the order that makes turns; single ones break it. */
function steps(lines: readonly string[]): fc.Arbitrary<One[]> {
  const run = fc
    .tuple(fc.nat(lines.length - 1), fc.integer({ min: 1, max: 40 }))
    .map(([from, count]) => lines.slice(from, from + count).map((line): One => ({ line })));
  const single = fc.nat(lines.length - 1).map((at): One[] => [{ line: lines[at] ?? '' }]);
  return fc
    .array(
      fc.oneof(
        run,
        single,
        command.map((one): One[] => [one]),
      ),
      { maxLength: 30 },
    )
    .map((all) => all.flat());
}

function faultsOf<S>(dialect: Dialect<S>, from: S, given: readonly One[]): string[] {
  const faults: string[] = [];
  const watched = strict(dialect, (words) => faults.push(words));
  const said = new Map<string, number>();
  const open = new Set<string>();
  let state = from;
  let id = 0;
  const ids = { next: () => (id += 1) };
  for (const one of given) {
    if ('kind' in one && (one.kind === 'prompt' || one.kind === 'steer'))
      said.set(one.turn, (said.get(one.turn) ?? 0) + 1);
    const step = 'line' in one ? watched.translate(state, one.line, ids) : watched.accept(state, one, ids);
    state = step.state;
    for (const signal of step.signals) {
      if (signal.kind === 'notice' && /unknown|not_json/.test(signal.code)) faults.push(signal.code);
      if (signal.kind === 'text' || signal.kind === 'reasoning') open.add(signal.block);
      if (signal.kind === 'text-done' || signal.kind === 'reasoning-done') open.delete(signal.block);
      if (signal.kind === 'text-void' && !open.delete(signal.block)) faults.push('void, and was not open');
      if (signal.kind !== 'ended' || signal.turn === undefined) continue;
      const left = (said.get(signal.turn) ?? 0) - 1;
      said.set(signal.turn, left);
      if (left < 0) faults.push(`${signal.turn} ended too often`);
    }
  }
  return faults;
}

const CLAUDE = linesOf('claude', /^(?:2\.1\.197-)?(?:01|03|04|05|06|10-error-cut|24|26|27)/, (line) =>
  line.replaceAll(/0000000(\d)-1111-4111-8111-111111111111/g, (_, n: string) =>
    uuidOf(TURNS[Number(n) % 4] ?? ''),
  ),
);
const CODEX = linesOf('codex', /^(?:01|04|05|06|07|08-error-cut|09)/, (line) =>
  line.replace(/"threadId":"[^"]*"/, `"threadId":"${THREAD}"`),
);

test('claude, whatever the order', () => {
  const from = newClaude({ session: 'the-session', resumed: false });
  fc.assert(
    fc.property(steps(CLAUDE), (given) => {
      expect(faultsOf(claude, from, given)).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test('codex, whatever the order', () => {
  const from = newCodex({ thread: THREAD, model: null, effort: null, plan: false });
  fc.assert(
    fc.property(steps(CODEX), (given) => {
      expect(faultsOf(codex, from, given)).toEqual([]);
    }),
    { numRuns: 60 },
  );
});
