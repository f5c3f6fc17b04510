/** What a person reads of a run: one line when it was good; with a violation its seed, the session's events and its agents' logs. */
import type { Event } from '../support/daemon.ts';
import type { SessionHistory, Violation } from './oracle/history.ts';
import type { Outcome } from './run/run.ts';

/** So many events before and behind what a violation names. */
const AROUND = 60;

export function summaryOf({ plan, counts, violations }: Outcome): string {
  const { kills, freezes, fills, sessions, turns, completed, asked, events, followed } = counts;
  return [
    `seed ${plan.seed} run ${String(plan.number)} (${plan.profile}):`,
    `${String(kills)} kills, ${String(freezes)} freezes, ${String(fills)} full disks,`,
    `${String(sessions)} sessions, ${String(turns)} turns (${String(completed)} completed), ${String(asked)} asked, ${String(events)} events, ${String(followed)} followed,`,
    `${String(violations.length)} violations`,
  ].join(' ');
}

export function reportOf(outcome: Outcome): string {
  const { plan, history, violations, deeds, logs } = outcome;
  if (violations.length === 0) return `${summaryOf(outcome)}; ${JSON.stringify(history.done)}`;
  const real = `npm run chaos -- --real --seed ${plan.seed} --run ${String(plan.number)} --kills ${String(plan.kills ?? 0)}`;
  const fake = `npm run chaos -- --seed ${plan.seed} --run ${String(plan.number)} --profile ${plan.profile} --seconds ${String(plan.ms / 1000)}`;
  const named = new Set(violations.map(({ session }) => session));
  return [
    summaryOf(outcome),
    `again: ${plan.profile === 'real' ? real : fake}`,
    ...violations.map(lineOf),
    `deeds: ${deeds.join(' · ')}`,
    ...history.sessions.filter(({ id }) => named.has(id)).map((session) => sessionOf(session, violations)),
    ...logs,
  ].join('\n');
}

function lineOf({ promise, session, turn, what }: Violation): string {
  return `${promise} ${[session, turn].filter(Boolean).join(' ')} ${what}`;
}

function sessionOf(session: SessionHistory, violations: readonly Violation[]): string {
  const own = violations.filter(({ session: id }) => id === session.id);
  const turns = new Set(own.map(({ turn }) => turn));
  const marks = session.journal.map((event) => event.turn !== undefined && turns.has(event.turn));
  const [first, last] = [marks.indexOf(true), marks.lastIndexOf(true)];
  const shown =
    first < 0 ? session.journal.slice(-AROUND) : session.journal.slice(Math.max(0, first - 10), last + 10);
  const some = shown.length <= 2 * AROUND ? shown : [...shown.slice(0, AROUND), ...shown.slice(-AROUND)];
  return [
    `--- ${session.id} ${session.agent}, ${String(session.journal.length)} events`,
    ...some.map(eventOf),
    ...session.messages
      .filter(
        ({ answers, marker }) =>
          answers.some(({ turn }) => turns.has(turn)) || own.some(({ what }) => what.includes(marker)),
      )
      .map(({ input, answers }) => `sent ${JSON.stringify(input)} → ${JSON.stringify(answers)}`),
    `received: ${session.received.map(({ pid, text }) => `${String(pid)} ${text.slice(0, 60).replaceAll('\n', '⏎')}`).join(' | ')}`,
  ].join('\n');
}

function eventOf({ seq, time, turn, type, data }: Event): string {
  const text = JSON.stringify(data);
  return `${String(seq)} ${time.slice(11)} ${turn?.slice(-6) ?? ''} ${type} ${text.length > 120 ? `${text.slice(0, 120)}…` : text}`;
}
