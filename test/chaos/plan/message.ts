/**
 * Messages for fake agents, and what a completed turn must have said.
 * Owns which words and faults are sent. The words: test/agents/README.md.
 */
import type { Expectation } from '../oracle/history.ts';
import type { Dice } from './dice.ts';
import { faultFor, type PlannedFault } from './faults.ts';

export interface PlannedMessage {
  readonly marker: string;
  readonly input: string;
  readonly expects: Expectation;
  /** Nothing in it keeps its turn from completing. */
  readonly calm: boolean;
  /** It ends only when it is interrupted. */
  readonly endless: boolean;
  readonly fault?: string;
}

export interface Wish {
  readonly agent: string;
  readonly marker: string;
  readonly faults: boolean;
  /** The most lines of a flood: what fills a small disk is to be the deeds and not the talk. 0: none. */
  readonly floods: number;
}

type Kind = 'ask' | 'say' | 'stream' | 'tool' | 'think' | 'flood' | 'child' | 'tool-hang' | 'fault';

export function planMessage(dice: Dice, wish: Wish): PlannedMessage {
  const weights: Record<Kind, number> = {
    say: 3,
    ask: 4,
    stream: 6,
    tool: 3,
    think: 1,
    flood: wish.floods > 0 ? 2 : 0,
    child: 2,
    'tool-hang': 1,
    fault: wish.faults ? 7 : 0,
  };
  return KINDS[dice.weighted(weights)](dice, wish);
}

const calm = { calm: true, endless: false };

const KINDS: Readonly<Record<Kind, (dice: Dice, wish: Wish) => PlannedMessage>> = {
  ask: (_, { marker }) => ({
    marker,
    input: `say ${marker} then ask`,
    expects: { kind: 'has', text: `${marker} permission:` },
    ...calm,
  }),
  say: (_, { marker }) => said(marker, `say ${marker} is all`, `${marker} is all`),
  stream(dice, { marker }) {
    const [count, ms] = [dice.between(2, 40), dice.between(1, 40)];
    const words = Array.from({ length: count }, (_, index) => `w${String(index)}`).join(' ');
    return said(
      marker,
      `say ${marker} then stream ${String(count)} words ${String(ms)} ms`,
      `${marker} ${words}`,
    );
  },
  tool: (_, { marker }) => said(marker, `say ${marker} then tool Bash then say done`, `${marker} done`),
  think: (_, { marker }) => said(marker, `think then say ${marker} thought of it`, `${marker} thought of it`),
  flood(dice, { marker, floods }) {
    const [lines, bytes] = [dice.between(200, floods), dice.pick([350, 400, 1000])];
    const input = `say ${marker} then flood ${String(lines)} lines of ${String(bytes)} bytes`;
    return { marker, input, expects: { kind: 'flood', lines }, ...calm };
  },
  child: (_, { marker }) => ({
    marker,
    input: `say ${marker} then child`,
    expects: { kind: 'has', text: `${marker} child` },
    ...calm,
  }),
  'tool-hang': (_, { marker }) => ({
    marker,
    input: `say ${marker} then tool-hang`,
    expects: { kind: 'nothing' },
    calm: false,
    endless: true,
  }),
  fault(dice, { agent, marker }) {
    const fault = faultFor(dice, agent);
    const input = `${fault.words}\nsay ${marker} before then tool Bash then say after`;
    return {
      marker,
      input,
      expects: expected(marker, fault),
      calm: fault.completes,
      endless: false,
      fault: fault.words,
    };
  },
};

function said(marker: string, input: string, text: string): PlannedMessage {
  return { marker, input, expects: { kind: 'words', text }, ...calm };
}

function expected(marker: string, { whole, words }: PlannedFault): Expectation {
  if (words === 'invalid-utf8') return { kind: 'garbled' };
  return whole ? { kind: 'words', text: `${marker} before after` } : { kind: 'nothing' };
}
