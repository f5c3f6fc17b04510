/** What agents are known to do wrong, played by the fakes: the turn is understood all the same, or its process is seen to be gone. */
import { expect } from 'vitest';
import { type Agent, kinds, StartFailed, textsOf } from '../agent.ts';
import type { Kit } from '../kit.ts';
import type { Case, OwnCase, WarmCase } from './case.ts';

const absent = ({ faults }: { readonly faults: boolean }): boolean => !faults;

function faultWords(kit: Kit, fault: string): string {
  if (kit.words.fault === undefined) throw new Error('an agent without faults');
  return kit.words.fault(fault);
}

interface Survived {
  readonly fault: string;
  /** What it leaves behind for people. */
  readonly notice?: string;
  /** The agent says nothing in such a turn. */
  readonly mute?: true;
  readonly contradicts?: RegExp;
  /** Printed behind the ending, and waited for. */
  readonly printed?: string;
}

/** Faults that a turn survives. */
const SURVIVED: readonly Survived[] = [
  { fault: 'late-receipt' },
  { fault: 'fallback' },
  { fault: 'retry-stream' },
  { fault: 'repeated-tool-ids' },
  { fault: 'repeated-message-ids' },
  { fault: 'second-result', printed: 'of no turn' },
  // Its delta is broken, its finished message is not: the message is the truth.
  { fault: 'invalid-utf8', contradicts: /is not its deltas/ },
  { fault: 'torn-lines:2' },
  { fault: 'crlf' },
  { fault: 'stderr-flood:1' },
  { fault: 'open-tools' },
  { fault: 'empty-result', mute: true },
  { fault: 'bare-result' },
  { fault: 'no-opening' },
  { fault: 'garbage', notice: 'not_json' },
  { fault: 'unknown-types', notice: 'unknown_message' },
  { fault: 'huge-line:3', notice: 'line_too_long' },
];

const survived = SURVIVED.map(({ fault, notice, mute, contradicts, printed }): WarmCase => ({
  name: `${fault}: the turn is understood all the same${notice === undefined ? '' : `, with a notice (${notice})`}`,
  on: 'bypass',
  absent,
  ...(notice === undefined ? {} : { notices: [notice] }),
  ...(contradicts === undefined ? {} : { contradicts }),
  async run(agent, kit) {
    const turn = agent.prompt(faultWords(kit, fault));
    expect((await turn.ended()).outcome).toMatchObject({ kind: 'completed' });
    expect(textsOf(turn.signals).join('\n').includes('behind it')).toBe(mute !== true);
    if (notice !== undefined) expect(agent.notices()).toContain(notice);
    // A version that names no message cannot tell what comes behind the next write from that one's.
    if (printed !== undefined) await agent.heard(printed);
    const next = await agent.turn(kit.words.say('next'));
    expect(textsOf(next.signals)).toEqual(['next']);
    expect(kinds(turn.signals).filter((kind) => kind === 'ended')).toHaveLength(2);
  },
}));

/** It dies in its turn: what it said until then is told, no ending is made up. */
async function dies(agent: Agent, words: string): Promise<void> {
  const turn = agent.prompt(words);
  const gone = await agent.exit();
  expect(gone.reason).toBe('crashed');
  expect(kinds(turn.signals)).not.toContain('ended');
}

const deadly = ['die@4', 'half@4', 'kill-self@4', 'exit-clean@4'].map((fault): OwnCase => ({
  name: `${fault}: its end is seen, and none of the turn is made up`,
  on: 'own',
  absent,
  notices: fault.startsWith('half') ? ['not_json'] : [],
  async run(start, kit) {
    await dies(await start(), faultWords(kit, fault));
  },
}));

const starts: readonly OwnCase[] = [
  {
    name: 'ends at its start: refused, with the last words of its stderr',
    on: 'own',
    absent,
    async run(start, kit) {
      const failed = await start({}, kit.faulty?.('stderr-then-exit')).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(StartFailed);
      expect(failed).toMatchObject({ code: 'spawn_failed', stderrTail: expect.stringMatching(/\S/) });
    },
  },
  {
    name: 'prints what is no protocol before it is greeted: started all the same',
    on: 'own',
    absent,
    notices: ['not_json'],
    async run(start, kit) {
      const agent = await start({}, kit.faulty?.('startup-garbage'));
      expect((await agent.turn(kit.words.say('hello'))).ended.outcome.kind).toBe('completed');
    },
  },
  {
    name: 'a conversation that cannot be read is refused, not begun anew',
    on: 'own',
    absent,
    async run(start, kit) {
      const first = await start();
      await first.turn(kit.words.say('hello'));
      await first.end();
      const resume = first.ready.agentSessionId ?? '';
      await expect(start({ resume }, kit.faulty?.('resume-fails'))).rejects.toMatchObject({
        code: 'resume_failed',
      });
    },
  },
];

export const MISHAPS: readonly Case[] = [...survived, ...deadly, ...starts];
