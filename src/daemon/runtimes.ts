/**
 * Makes runtimes for the host: the process of one session, or one that several share. Owns no state.
 */
import { secretsOf, type AgentSettings, type AnyDialect, type Owners } from '../agents/index.ts';
import type { RuntimeFactory, StartWish } from '../host/index.ts';
import { endLeftBehind, environ, processIdentity, treeMemory } from '../process/index.ts';
import { PilotlightError } from '../protocol/index.ts';
import { Lifetime } from '../runtime/lifetime.ts';
import type { Ownership, RuntimePorts } from '../runtime/ports.ts';
import { SharedLifetime } from '../runtime/shared.ts';
import type { SharedPorts } from '../runtime/shared-ports.ts';
import type { AssembleOptions } from './assemble.ts';
import type { Config } from './config.ts';
import { withReminder } from './judge.ts';
import { ownershipOf } from './ownership.ts';
import { settingsOf, type SettingsSources } from './settings.ts';
import { domainOf, processSettingsOf, seatSettingsOf } from './sharing.ts';

export interface RuntimeSources extends SettingsSources {
  readonly owners?: Owners;
}

type Wishes = (session: string) => StartWish;
type Common = Pick<
  RuntimePorts,
  | 'children'
  | 'committer'
  | 'generation'
  | 'bounds'
  | 'memory'
  | 'report'
  | 'input'
  | 'secretsIn'
  | 'place'
  | 'trace'
>;

export function runtimeFactory(options: AssembleOptions, sources: RuntimeSources): RuntimeFactory {
  const { agents } = sources;
  const { config } = options;
  const ownership = ownerships(options, sources);
  const known = async <T extends { readonly settings: AgentSettings }>(
    had: Promise<T>,
    owner?: string,
  ): Promise<T> => {
    const { session, secrets: found = [] } = (await had).settings;
    options.known?.know(owner ?? session, found);
    return had;
  };
  return {
    domainOf: (spec) => domainOf(sources, spec, options.key),
    create({ id, agent, session, slot, wish, onGone, onMeasured }) {
      const ports: RuntimePorts = {
        ...common(options, id, wish),
        ...ownership(agent, session?.id ?? id),
        dialect: dialectOf(sources, agent),
        settings: (why) => known(settingsOf(sources, wish(), why)),
      };
      const gone = (runtime: string): void => {
        options.known?.forget(runtime);
        onGone(runtime);
      };
      const sessions = session === undefined ? [] : [session];
      const place = slot === undefined ? {} : { slot };
      return new Lifetime({ id, sessions, ...place, ports, onGone: gone, onMeasured });
    },
    share({ agent, wish, onGone, ...rest }) {
      const dialect = agents.shared(agent);
      if (dialect === undefined)
        throw new PilotlightError('unknown_agent', `No process of "${agent}" can be shared`);
      // What a session has is more than what the process of all has of it.
      const ofProcess = `${rest.id} as started`;
      const ports: SharedPorts = {
        ...common(options, rest.id, wish),
        dialect,
        threadTimeoutMs: config.runtime.threadTimeoutMs,
        leftBehind: (session) => {
          endLeftBehind({ whose: (one) => one === session }, config.ladder).catch(options.report);
        },
        leftByOthers: (seated) => {
          const mark = `${options.journal.homeId}/${rest.id}`;
          endLeftBehind({ whose: (one) => !seated.has(one), mark }, config.ladder).catch(options.report);
        },
        process: (session) => known(processSettingsOf(sources, wish(session)), ofProcess),
        keepSecrets: keeping(options, rest.id),
        member: (session) => ({
          ...ownership(agent, session),
          settings: (why) => known(seatSettingsOf(sources, wish(session), why)),
        }),
      };
      const gone: typeof onGone = (runtime, how) => {
        for (const owner of [runtime, ofProcess]) options.known?.forget(owner);
        onGone(runtime, how);
      };
      return new SharedLifetime({ ...rest, ports, onGone: gone });
    },
  };
}

function dialectOf({ agents }: RuntimeSources, agent: string): AnyDialect {
  const dialect = agents.dialect(agent);
  if (dialect === undefined) throw new PilotlightError('unknown_agent', `There is no agent "${agent}"`);
  return dialect;
}

/** Of any process, whomever it serves. */
function common(options: AssembleOptions, id: string, wish: Wishes): Common {
  const { config, journal, children, report, secrets, trace } = options;
  return {
    children,
    committer: journal,
    generation: journal.generation,
    bounds: { ...config.runtime, maxLine: config.wire.maxLineMb * 1024 * 1024 },
    memory: treeMemory,
    report,
    input: (turn) => {
      const { input, sessionId = '' } = journal.turn(turn) ?? {};
      if (input === undefined)
        throw new PilotlightError('internal', `The message of turn ${turn} is not in the journal`);
      return withReminder(input, wish(sessionId).spec.readOnly);
    },
    secretsIn: (pid) => {
      const found = [...secretsOf({ env: environmentOf(pid), credentials: {} }), ...kept(options, id)];
      options.known?.know(id, found);
      return found;
    },
    place: ({ path, text }) => secrets.place(path, text),
    ...(trace === undefined ? {} : { trace: (way, text) => trace(id, way, text) }),
  };
}

/** The claim of a session's runtime on its conversation; none where nobody keeps records. */
function ownerships(
  { config, cwd, report }: AssembleOptions,
  sources: RuntimeSources,
): (agent: string, session: string) => { readonly ownership?: Ownership } {
  const { owners } = sources;
  const own = processIdentity(process.pid);
  if (owners === undefined || own === undefined) return () => ({});
  const formerMs = 2 * ladderMs(config.ladder);
  return (agent, session) => {
    const dialect = dialectOf(sources, agent);
    return { ownership: ownershipOf({ owners, dialect, session, home: cwd, own, formerMs, report }) };
  };
}

function keeping({ secrets, report }: AssembleOptions, runtime: string): SharedPorts['keepSecrets'] {
  return (found) => {
    try {
      secrets.keep(runtime, found);
    } catch (error) {
      // No room: they are masked as long as this daemon lives.
      report(error);
    }
  };
}

function kept({ secrets, report }: AssembleOptions, runtime: string): readonly string[] {
  try {
    return secrets.kept(runtime);
  } catch (error) {
    report(error);
    return [];
  }
}

function environmentOf(pid: number): Record<string, string> {
  return Object.fromEntries(
    environ(pid).map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

export function ladderMs(ladder: Config['ladder']): number {
  return ladder.termAfterMs + ladder.killAfterMs + ladder.stuckAfterMs;
}
