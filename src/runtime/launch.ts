/**
 * A process from nothing to greeted. Promises live here and end here: what must outlive the daemon is data.
 * A launch that fails leaves no process: the failure is reported when the tree is gone (nothing else may resume its conversation before).
 */
import { within } from '../async/awake.ts';
import type { AgentSettings, Greeted } from '../agents/dialect.ts';
import type { Child, ChildExit, ChildListener } from '../process/ports.ts';
import { PilotlightError, wordsOf, type TurnFailureCode } from '../protocol/index.ts';
import type { RuntimeInput } from '../session/ports.ts';
import { Handshake } from './handshake.ts';
import type { RuntimePorts } from './ports.ts';
import { Reading } from './reading.ts';
import type { Relay } from './relay.ts';

export interface Launched {
  readonly child: Child;
  readonly settings: AgentSettings;
  readonly greeted: Greeted<unknown>;
  readonly startupMs: number;
  /** The number of the last write of the handshake. */
  readonly written: number;
  /** What was read, with the lines that nobody asked for still in its queue. */
  readonly reading: Reading;
  readonly version: string | undefined;
}

export class LaunchFailure extends Error {
  readonly code: TurnFailureCode;
  readonly stderrTail: string | undefined;
  /** The child that ended, to be forgotten once the failure is in the journal. */
  readonly child: Child | undefined;

  /** Whether another process works on the conversation. */
  get taken(): boolean {
    return this.cause instanceof PilotlightError && this.cause.code === 'agent_session_in_use';
  }

  constructor(
    code: TurnFailureCode,
    message: string,
    rest: {
      readonly stderrTail?: string | undefined;
      readonly child?: Child | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: rest.cause });
    this.code = code;
    this.stderrTail = rest.stderrTail;
    this.child = rest.child;
  }
}

/** What was thrown, as one. */
export function launchFailure(error: unknown): LaunchFailure {
  if (error instanceof LaunchFailure) return error;
  return new LaunchFailure('spawn_failed', String(error), { cause: error });
}

/** How its sessions are told of it. */
export function failedInput(runtime: string, failure: LaunchFailure, retry: boolean): RuntimeInput {
  const { code, message, stderrTail, taken } = failure;
  return {
    kind: 'runtime-failed',
    runtime,
    code,
    message,
    ...(stderrTail === undefined || stderrTail === '' ? {} : { stderrTail }),
    retry,
    ...(taken ? { taken } : {}),
  };
}

export interface LaunchOptions {
  readonly id: string;
  readonly relay: Relay;
  /** Aborted when the session does not want the process any more. */
  readonly signal: AbortSignal;
}

/** Resolves when the agent can take a prompt; rejects with a {@link LaunchFailure} when its tree is gone. */
export async function launch(ports: RuntimePorts, options: LaunchOptions): Promise<Launched> {
  const began = performance.now();
  const { settings, child, version } = await spawn(ports, options);
  const reading = new Reading({ maxLine: ports.bounds.maxLine });
  let written = 0;
  const handshake = new Handshake(ports.dialect.agent, (line) => {
    ports.trace?.('in', line);
    written += 1;
    child.write(written, Buffer.from(`${line}\n`));
  });
  const exited = Promise.withResolvers<ChildExit | undefined>();
  options.relay.connect(listen({ ports, child, reading, handshake, exited: exited.resolve }));
  const abort = (): void => handshake.close(new PilotlightError('aborted', 'The start was called off'));
  options.signal.addEventListener('abort', abort);
  if (options.signal.aborted) abort();
  try {
    const greeted = await within(ports.dialect.greet(handshake, settings), ports.bounds.startTimeoutMs, () =>
      startTimeout(ports.dialect.agent, settings.cwd, ports.bounds.startTimeoutMs),
    );
    options.relay.disconnect();
    reading.skipTo(handshake.consumed);
    reading.enqueue(handshake.rest());
    const startupMs = Math.round(performance.now() - began);
    return { child, settings, greeted, startupMs, written, reading, version: greeted.version ?? version };
  } catch (error) {
    handshake.close(new PilotlightError('aborted', 'The start has failed'));
    child.end();
    const exit = await exited.promise;
    throw failureOf(error, { settings, exit, child });
  } finally {
    options.signal.removeEventListener('abort', abort);
  }
}

/** What sessions are told of it. */
export function readyOf(
  { child, greeted, startupMs, version }: Launched,
  of: { readonly runtime: string; readonly startedAt: string; readonly perMessage: boolean },
): RuntimeInput {
  return {
    kind: 'runtime-ready',
    runtime: of.runtime,
    pid: child.identity.pid,
    startedAt: of.startedAt,
    startupMs,
    ...(version === undefined ? {} : { version }),
    resumed: greeted.resumed,
    ...(of.perMessage ? { perMessage: true } : {}),
    ...(greeted.agentSessionId === undefined ? {} : { agentSessionId: greeted.agentSessionId }),
  };
}

async function spawn(
  ports: RuntimePorts,
  options: LaunchOptions,
): Promise<{
  readonly settings: AgentSettings;
  readonly child: Child;
  readonly version: string | undefined;
}> {
  try {
    const { settings, binary, missing = [] } = await ports.settings('start');
    if (binary === undefined)
      throw new PilotlightError('agent_unavailable', `${ports.dialect.agent} is not installed`, {
        fix: 'Run `pilotlight doctor`.',
      });
    if (missing.length > 0)
      throw new PilotlightError(
        'agent_unavailable',
        `Gone with the daemon before, which kept them in memory only: ${missing.join(', ')}`,
        {
          fix: 'Give the credentials again (PATCH), or create the session again; `secrets.persist` keeps them.',
        },
      );
    const plan = ports.dialect.plan(binary, settings);
    await ports.ownership?.starting(settings, options.signal);
    if (options.signal.aborted) throw new PilotlightError('aborted', 'The start was called off');
    for (const one of plan.files ?? []) ports.place(one);
    const { file, args, env } = plan;
    const goodbye = Buffer.from(plan.goodbye);
    const child = await ports.children.spawn(
      { id: options.id, file, args, cwd: settings.cwd, env, goodbye },
      options.relay,
    );
    ports.ownership?.by(child.identity, file);
    return { settings, child, version: binary.version };
  } catch (error) {
    const failure = new LaunchFailure('spawn_failed', wordsOf(error), { cause: error });
    throw failure.taken ? new LaunchFailure('resume_failed', wordsOf(error), { cause: error }) : failure;
  }
}

const LOOK = { fix: 'Start it by hand, or run `pilotlight doctor`.' };

function listen(options: {
  readonly ports: RuntimePorts;
  readonly child: Child;
  readonly reading: Reading;
  readonly handshake: Handshake;
  readonly exited: (exit: ChildExit | undefined) => void;
}): ChildListener {
  const { ports, child, reading, handshake, exited } = options;
  const { agent } = ports.dialect;
  return {
    out(offset, bytes) {
      ports.trace?.('out', bytes.toString());
      for (const line of reading.push(offset, bytes)) handshake.take(line);
      child.received(reading.received);
    },
    stderr(bytes) {
      ports.trace?.('err', bytes.toString());
    },
    wrote: () => undefined,
    refused: (n, last, reason) =>
      handshake.close(
        new PilotlightError(
          'spawn_failed',
          `${agent} took no message (${reason}; ${String(n)} after ${String(last)})`,
          LOOK,
        ),
      ),
    exit(exit) {
      handshake.close(
        new PilotlightError(
          'spawn_failed',
          `${agent} exited before it was ready (${howItEnded(exit)})`,
          LOOK,
        ),
      );
      exited(exit);
    },
    lost(reason) {
      handshake.close(
        new PilotlightError('keeper_lost', `${agent} was lost before it was ready: ${reason}`, {
          fix: 'Send again.',
        }),
      );
      exited(undefined);
    },
  };
}

function startTimeout(agent: string, cwd: string, ms: number): PilotlightError {
  return new PilotlightError('timeout', `${agent} was not ready within ${String(ms / 1000)} s in ${cwd}`, {
    fix: 'Try it by hand there, or raise runtime.startTimeoutMs.',
  });
}

function failureOf(
  error: unknown,
  what: { readonly settings: AgentSettings; readonly exit: ChildExit | undefined; readonly child: Child },
): LaunchFailure {
  const { child, exit, settings } = what;
  const rest = { child, stderrTail: exit?.stderrTail, cause: error };
  const code = error instanceof PilotlightError ? error.code : undefined;
  if (code === 'timeout') return new LaunchFailure('start_timeout', wordsOf(error), rest);
  if (code === 'keeper_lost') return new LaunchFailure('runtime_lost', wordsOf(error), rest);
  if (code === 'unauthorized') return new LaunchFailure('auth_failed', wordsOf(error), rest);
  if (settings.resume !== undefined)
    return new LaunchFailure(
      'resume_failed',
      `The conversation ${settings.resume} could not be taken up: ${wordsOf(error)}`,
      rest,
    );
  return new LaunchFailure('spawn_failed', wordsOf(error), rest);
}

function howItEnded(exit: Pick<ChildExit, 'code' | 'signal'>): string {
  return exit.signal === undefined ? `code ${String(exit.code ?? 'unknown')}` : `signal ${exit.signal}`;
}
