/**
 * The chaos runs with the unmodified Claude Code and Codex of node_modules on the fake model.
 * Owns what a message's arrival is there: a request of the agent for it, the first of its turn. No real account, loopback only.
 */
import { startFakeModel, type FakeModel, type ModelRequest } from '../../src/testing/index.ts';
import { realAgents } from '../support/real-agents.ts';
import type { Received } from './oracle/history.ts';
import { makeRealPlan, type RealWish } from './plan/real.ts';
import { run, type Outcome } from './run/run.ts';

export async function runReal(wish: RealWish): Promise<Outcome> {
  const arrived = new Arrivals();
  await using model = await startFakeModel({ scenario: (request) => arrived.note(request) });
  await using agents = realAgents(model.url);
  return await run(makeRealPlan(wish), {
    root: agents.root,
    paths: { claude: agents.claude.binary, codex: agents.codex.binary },
    session: (agent) => ({ cwd: agents.cwd, env: agent === 'claude' ? agents.claude.env : agents.codex.env }),
    received: (markers) => arrived.of(markers),
  });
}

type Reply = ReturnType<
  Extract<NonNullable<Parameters<FakeModel['setScenario']>[0]>, (...all: never) => unknown>
>;

class Arrivals {
  readonly #texts: string[] = [];

  /** Leaves every request to the words. A request that brings tools' results goes on with a turn and begins none. */
  note(request: ModelRequest): Reply {
    const begins = request.side === null && request.round === 0 && request.toolResults.length === 0;
    if (begins) this.#texts.push(request.lastUserText);
    return undefined;
  }

  of(markers: readonly string[]): Received[] {
    const own = new Set(markers);
    return this.#texts.flatMap((text) =>
      own.has(/m\d+x\d+x/.exec(text)?.[0] ?? '') ? [{ pid: 0, text: text.trim() }] : [],
    );
  }
}
