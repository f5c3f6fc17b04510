/** What an agent's lines say, line by line: signals, answers of the dialect's own, the state behind them. Pure, but that it reports what never should be. */
import type { OutgoingWrite, RequestIds, SharedStep, Told } from '../agents/dialect.ts';
import type { WireLine } from '../wire/lines.ts';
import type { RuntimePorts } from './ports.ts';

export interface Translated {
  readonly state: unknown;
  readonly signals: readonly Told[];
  readonly writes: readonly OutgoingWrite[];
  /** Seats that any line was about. */
  readonly about: ReadonlySet<string>;
}

export function translated(
  from: Pick<RuntimePorts, 'dialect' | 'report'> & { readonly state: unknown; readonly ids: RequestIds },
  lines: readonly WireLine[],
): Translated {
  const { dialect, report, ids } = from;
  const signals: Told[] = [];
  const writes: OutgoingWrite[] = [];
  const about = new Set<string>();
  let { state } = from;
  for (const line of lines) {
    if (line.kind === 'cut') {
      const message = 'A line of the agent was longer than wire.maxLineMb and was cut';
      const raw = line.head.slice(0, 2000);
      signals.push({ kind: 'notice', level: 'warning', code: 'line_too_long', message, raw });
      continue;
    }
    if (line.text === '') continue;
    try {
      const step: SharedStep<unknown> = dialect.translate(state, line.text, ids);
      ({ state } = step);
      signals.push(...step.signals);
      writes.push(...step.writes);
      if (step.about !== undefined) about.add(step.about);
    } catch (error) {
      // A dialect never throws; should it, one line is lost to a notice and not the session to a loop.
      report(error);
      const message = 'A line of the agent could not be understood';
      const raw = line.text.slice(0, 2000);
      signals.push({ kind: 'notice', level: 'error', code: 'untranslatable', message, raw });
    }
  }
  return { state, signals, writes, about };
}
