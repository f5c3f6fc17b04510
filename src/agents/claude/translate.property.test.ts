/** Lines of real recordings, dropped, repeated and mixed up: nothing throws, no turn ends twice, the state can always be read back. */
import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { uuidOf } from '../../protocol/index.ts';
import type { AgentCommand, AgentSignal } from '../../session/ports.ts';
import { claude, type ClaudeState } from './index.ts';
import { newState } from './state.ts';

const FOLDER = new URL('../../../test/golden/claude/', import.meta.url);
const TURNS = [0, 1, 2].map((n) => `trn_${String(n).padStart(32, '0')}`);

/** What Claude says, of messages that are ours. */
const LINES = readdirSync(FOLDER)
  .filter((name) => /^(?:2\.1\.197-)?(?:01|03|04|05|06|10-error-cut|24|26|27)/.test(name))
  .flatMap((name) => readFileSync(new URL(name, FOLDER), 'utf8').split('\n'))
  .filter((line) => line.startsWith('< {'))
  .map((line) =>
    line
      .slice(2)
      .replaceAll(/0000000(\d)-1111-4111-8111-111111111111/g, (_, n: string) =>
        uuidOf(TURNS[Number(n) % 3] ?? ''),
      ),
  );

type One = { readonly line: string } | AgentCommand;

const at = fc.nat(LINES.length - 1);
const command: fc.Arbitrary<AgentCommand> = fc.oneof(
  fc.constantFrom(...TURNS).map((turn) => ({ kind: 'prompt', turn }) as const),
  fc.constant({ kind: 'interrupt' } as const),
);
/** A run of neighbouring lines keeps the order that makes turns; single ones break it. */
const run = fc
  .tuple(at, fc.integer({ min: 1, max: 40 }))
  .map(([from, count]) => LINES.slice(from, from + count).map((line): One => ({ line })));
const steps = fc.array(
  fc.oneof(
    run,
    at.map((one): One[] => [{ line: LINES[one] ?? '' }]),
    command.map((one): One[] => [one]),
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

function faultsOf(steps: readonly One[]): string[] {
  const check = new Check();
  let state = newState({ session: 'the-session', resumed: false });
  let id = 0;
  const ids = { next: () => (id += 1) };
  for (const one of steps) {
    const copy = structuredClone(state);
    const step = 'line' in one ? claude.translate(state, one.line, ids) : claude.accept(state, one, ids);
    if (!isDeepStrictEqual(state, copy)) check.faults.push('the state was changed in place');
    state = step.state;
    check.state(state);
    if ('kind' in one && one.kind === 'prompt' && step.writes.length > 0) check.prompt(one.turn);
    for (const signal of step.signals) check.signal(signal);
  }
  return check.faults;
}

class Check {
  readonly faults: string[] = [];
  readonly #prompts: string[] = [];
  readonly #open = new Set<string>();

  state(state: ClaudeState): void {
    const text = JSON.stringify(state);
    if (!isDeepStrictEqual(claude.revive(JSON.parse(text)), state)) this.faults.push('not revived');
    if (Buffer.byteLength(text) > 65_536) this.faults.push('too large');
  }

  prompt(turn: string): void {
    this.#prompts.push(turn);
  }

  signal(signal: AgentSignal): void {
    if (signal.kind === 'text') this.#open.add(signal.block);
    if (signal.kind === 'text-done') this.#open.delete(signal.block);
    if (signal.kind === 'text-void' && !this.#open.delete(signal.block)) this.faults.push('void, not open');
    if (signal.kind === 'notice' && /unknown|not_json/.test(signal.code)) this.faults.push(signal.code);
    if (signal.kind === 'ended' && signal.turn !== undefined) this.#ended(signal.turn);
  }

  /** Each prompt that was written ends at most once. */
  #ended(turn: string): void {
    const at = this.#prompts.indexOf(turn);
    if (at < 0) this.faults.push('ended twice');
    else this.#prompts.splice(at, 1);
  }
}
