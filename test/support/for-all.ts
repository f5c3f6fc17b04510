/** What all tests of a file share: made before the first, ended behind the last, what was made last first. */
import { afterAll, beforeAll, expect } from 'vitest';
import { startFakeModel, type FakeModel } from '../../src/testing/index.ts';
import { TestDaemon, testHome, type TestHome } from './daemon.ts';
import { marked } from './processes.ts';
import { agentConfig, realAgents, type RealAgents } from './real-agents.ts';

interface ServedOptions extends NonNullable<Parameters<typeof testHome>[0]> {
  /** No process of it may be there once it was stopped. */
  readonly nothingLeft?: boolean;
  /** Where tests start another: the one that is to be stopped. */
  readonly current?: () => TestDaemon;
}

interface Served {
  readonly home: TestHome;
  readonly daemon: TestDaemon;
}

/** The real CLIs on a fake model, and a daemon that knows them. `config`: what its configuration is, with what names the agents. */
export function realDaemonForAll(
  give: (made: Real & Served) => void,
  options: Omit<ServedOptions, 'config' | 'root'> & { readonly config?: (agents: string) => string } = {},
): void {
  let made: Real | undefined;
  const agents = (): Real => {
    if (made === undefined) throw new Error('the agents are not there yet');
    return made;
  };
  realForAll((real) => {
    made = real;
  });
  const { config = (named: string): string => named, ...rest } = options;
  daemonForAll(
    (served) => {
      give({ ...agents(), ...served });
    },
    () => ({ ...rest, config: config(agentConfig(agents().real)), root: agents().real.root }),
  );
}

/** A home with its daemon. `options` is asked when it is made. */
export function daemonForAll(give: (made: Served) => void, options: () => ServedOptions = () => ({})): void {
  let home: TestHome | undefined;
  let wanted: ServedOptions = {};
  let running: (() => TestDaemon) | undefined;
  beforeAll(async () => {
    wanted = options();
    home = testHome(wanted);
    const daemon = await TestDaemon.start(home);
    running = wanted.current ?? ((): TestDaemon => daemon);
    give({ home, daemon });
  });
  afterAll(async () => {
    await running?.().stop();
    if (wanted.nothingLeft === true && home !== undefined) expect(marked(home.path)).toEqual([]);
    await home?.[Symbol.asyncDispose]();
  });
}

interface Real {
  readonly model: FakeModel;
  readonly real: RealAgents;
}

/** The real CLIs on a fake model. */
export function realForAll(give: (made: Real) => void): void {
  let model: FakeModel | undefined;
  let real: RealAgents | undefined;
  beforeAll(async () => {
    model = await startFakeModel();
    real = realAgents(model.url);
    give({ model, real });
  });
  afterAll(async () => {
    await real?.dispose();
    await model?.close();
  });
}
