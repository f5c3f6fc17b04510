/**
 * `demo`: a tour on the real CLIs and a local fake model. No account, no network, nothing kept.
 * Real Claude Code and real Codex, several messages each; its own daemon is killed in mid-answer and the answer finishes; then a table.
 */
import { PilotlightError } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import { measureCold } from '../demo/cold.ts';
import { Stage, type Actor } from '../demo/stage.ts';
import { converse, surviveKill, warmTurns, type Told } from '../demo/acts.ts';
import { Exit } from '../exit.ts';
import { harmless, table } from '../output.ts';

const WARM_TURNS = 5;
const COLD_RUNS = 3;

export async function run(context: Context): Promise<number> {
  const { output } = context;
  const told: Told = {
    title: (text) => output.line(`\n${output.style('bold', text)}`),
    say: (text) => output.text(harmless(text)),
    line: (text) => output.line(text),
    aside: (text) => output.line(output.style('dim', text)),
    tool: (text) => output.line(output.style('cyan', text)),
    good: (text) => output.line(output.style('green', text)),
  };
  using interrupted = onInterrupt();
  try {
    await using stage = await Stage.set(context, interrupted.signal);
    const rows = await tour(stage, told);
    output.object({ agents: rows });
    return 0;
  } catch (error) {
    // What fails because the stage is being cleared is no news.
    if (interrupted.signal.aborted) throw new Exit(130);
    throw error;
  }
}

/** Ctrl-C clears the stage; the tour ends on what is then missing. */
function onInterrupt(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const act = (): void => controller.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, act);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, act);
    },
  };
}

async function tour(stage: Stage, told: Told): Promise<Compared[]> {
  for (const absent of stage.absent) told.aside(`${absent} is not installed: the demo goes on without it.`);
  if (stage.actors.length === 0)
    throw new PilotlightError('agent_unavailable', 'Neither Claude Code nor Codex was found', {
      fix: 'npm install -g @anthropic-ai/claude-code @openai/codex',
    });
  told.aside(
    `A fake model at ${stage.modelUrl}, a daemon in ${stage.home}; no account, no network beyond this machine.`,
  );
  for (const actor of stage.actors) await converse(stage, actor, told);
  for (const actor of stage.actors) await surviveKill(stage, actor, told);
  return compare(stage, told);
}

interface Compared {
  readonly agent: string;
  readonly perMessageMs: number;
  readonly warmMs: number;
  readonly ratio: number;
  readonly memoryMb: number | undefined;
}

async function compare(stage: Stage, told: Told): Promise<Compared[]> {
  told.title('What it buys: time to the first token, medians');
  const rows: Compared[] = [];
  for (const actor of stage.actors) rows.push(await compareOne(stage, actor));
  const lines = rows.map(({ agent, perMessageMs, warmMs, ratio, memoryMb }) => [
    agent,
    `${String(perMessageMs)} ms`,
    `${String(warmMs)} ms`,
    `${ratio.toFixed(1)}×`,
    memoryMb === undefined ? '' : `${String(memoryMb)} MB`,
  ]);
  told.line(
    table([
      ['', 'a process per message', 'warm, through Pilotlight', 'sooner', 'memory while warm'],
      ...lines,
    ]),
  );
  const { daemonMb, keeperMb } = await stage.memory();
  told.aside(
    `Daemon ${String(daemonMb)} MB, keeper ${String(keeperMb)} MB. The model answers at once here; a real one adds its own time to both columns.`,
  );
  return rows;
}

async function compareOne(stage: Stage, actor: Actor): Promise<Compared> {
  const perMessageMs = Math.round(median(await measureCold(stage, actor, COLD_RUNS)));
  const { times, memoryMb } = await warmTurns(stage, actor, WARM_TURNS);
  const warmMs = Math.max(1, Math.round(median(times)));
  return { agent: actor.name, perMessageMs, warmMs, ratio: perMessageMs / warmMs, memoryMb };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
