/** What one client does: its agent, its messages with their keys, when it interrupts or closes, and how it follows. */
import type { Expectation } from '../oracle/history.ts';
import type { Dice } from './dice.ts';
import { SPOILS } from './faults.ts';
import { planMessage, type PlannedMessage } from './message.ts';
import { peopleOf, type PlannedAnswers } from './people.ts';
import type { Profile } from './plan.ts';

export interface PlannedSend {
  readonly kind: 'send';
  readonly pauseMs: number;
  readonly message: PlannedMessage;
  /** What is to be done when a turn runs. */
  readonly whenBusy: 'reject' | 'queue' | 'steer' | 'interrupt';
  /** So many requests with the same key at once. */
  readonly copies: number;
  readonly interruptAfterMs: number | undefined;
  /** Waits for the ending before it goes on. */
  readonly waits: boolean;
  /** Sends the same key again behind the ending. */
  readonly again: boolean;
}

/** Changes what can be changed while it lives; the process may be replaced for it. */
export interface PlannedChange {
  readonly kind: 'change';
  readonly pauseMs: number;
  readonly change: Readonly<Record<string, unknown>>;
}

export type PlannedStep = PlannedSend | PlannedChange | { readonly kind: 'close'; readonly pauseMs: number };

export interface PlannedLeg {
  readonly readMs: number;
  /** Stops reading for so long, with the connection open, before it leaves. */
  readonly stallMs: number;
  /** From where the next leg begins: behind the last event seen, or at this share of what was seen. */
  readonly from: 'last' | number;
}

export interface PlannedClient {
  readonly agent: 'claude' | 'codex';
  /** Its agents misbehave: they share a process with nobody. */
  readonly alone: boolean;
  /** Whether its agents ask, and how people answer. */
  readonly asks: boolean;
  readonly people: readonly PlannedAnswers[];
  readonly steps: readonly PlannedStep[];
  readonly followers: readonly (readonly PlannedLeg[])[];
}

export interface ClientWish {
  readonly place: number;
  readonly profile: Profile;
  readonly ms: number;
}

export function planClient(dice: Dice, wish: ClientWish): PlannedClient {
  const agent = dice.pick(['claude', 'codex'] as const);
  const asks = dice.chance(0.5);
  return {
    agent,
    alone: misbehaves(wish.profile),
    asks,
    people: peopleOf(dice),
    steps: stepsOf(dice, { agent, asks }, wish),
    followers: Array.from({ length: dice.between(1, 2) }, () => legsOf(dice, wish.ms)),
  };
}

function misbehaves(profile: Profile): boolean {
  return profile === 'faults' || profile === 'all';
}

const FLOODS: Partial<Readonly<Record<Profile, number>>> = { shutdown: 0, disk: 2000, all: 2000 };

function stepsOf(
  dice: Dice,
  { agent, asks }: { readonly agent: string; readonly asks: boolean },
  { place, profile, ms }: ClientWish,
): PlannedStep[] {
  const steps: PlannedStep[] = [];
  const faults = misbehaves(profile);
  const floods = FLOODS[profile] ?? 8000;
  let spoiled = false;
  let woken = false;
  // More than there is time for: no message takes less than some 20 ms.
  for (let number = 0; number < ms / 20; number += 1) {
    const pauseMs = dice.chance(0.5) ? 0 : dice.between(0, 300);
    if (dice.chance(0.04)) {
      steps.push({ kind: 'close', pauseMs });
      spoiled = false;
    }
    if (dice.chance(0.05)) steps.push({ kind: 'change', pauseMs: 0, change: changeOf(dice, asks) });
    const marker = `m${String(place)}x${String(number)}x`;
    const message = planMessage(dice, { agent, marker, faults, floods });
    const behind = woken && agent === 'codex' ? { ...message, expects: beside(message.expects) } : message;
    steps.push(sendOf(dice, spoiled ? { ...behind, calm: false } : behind, pauseMs));
    spoiled ||= SPOILS.test(message.fault ?? '');
    woken ||= message.fault?.includes('woke') === true;
  }
  return steps;
}

/** What it says may stand in one turn with what its agent says by itself: a Codex takes a prompt into a turn that it began. */
function beside(expects: Expectation): Expectation {
  return expects.kind === 'words' ? { kind: 'has', text: expects.text } : expects;
}

function changeOf(dice: Dice, asks: boolean): PlannedChange['change'] {
  const number = String(dice.between(0, 9));
  const always = [
    { name: `n${number}` },
    // Told to the process that runs.
    { model: `model-${number}` },
    // Only a new process has it.
    { credentials: { MY_TOKEN: `made-up-token-${number}` } },
  ];
  return dice.pick(asks ? [...always, { mode: 'acceptEdits' }, { mode: 'default' }] : always);
}

function sendOf(dice: Dice, message: PlannedMessage, pauseMs: number): PlannedSend {
  const interrupts = message.endless || dice.chance(0.1);
  return {
    kind: 'send',
    pauseMs,
    message,
    whenBusy: dice.weighted({ reject: 4, queue: 4, steer: 1, interrupt: 1 }),
    copies: dice.chance(0.2) ? dice.between(2, 3) : 1,
    interruptAfterMs: interrupts ? dice.between(0, 400) : undefined,
    waits: message.endless || dice.chance(0.7),
    again: dice.chance(0.2),
  };
}

export function legsOf(dice: Dice, ms: number): PlannedLeg[] {
  const legs: PlannedLeg[] = [];
  for (let at = 0; at < ms;) {
    const readMs = dice.between(5, 2500);
    const stallMs = dice.chance(0.2) ? dice.between(50, 1500) : 0;
    legs.push({ readMs, stallMs, from: dice.chance(0.6) ? 'last' : dice.next() });
    at += readMs + stallMs;
  }
  return legs;
}
