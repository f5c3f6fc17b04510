/**
 * Tells a person, by a command of theirs (`notify.command`), that an agent asks something or that a turn has ended: what happens while this daemon
 * runs, at most once each. Never in the way of anything: a command that hangs is ended, one that fails is a line of the log.
 */
import { z } from 'zod';
import { messageOf, TURN_ENDINGS, type SessionView } from '../protocol/index.ts';
import type { Followed } from '../session/ports.ts';
import { runCommand, type Command, type CommandSurroundings } from './command.ts';

export interface NotifyOptions {
  readonly command: Command;
  readonly timeoutMs: number;
  /** All sessions' events of these types from now on, until the signal. */
  readonly follow: (types: ReadonlySet<string>, signal: AbortSignal) => AsyncIterable<readonly Followed[]>;
  /** Throws for a session that is gone. */
  readonly session: (id: string) => SessionView;
  readonly at: CommandSurroundings;
  readonly log: (message: string) => void;
}

/** What is looked at; what else an event has goes to the command as it is. */
const Event = z.looseObject({ type: z.string(), session: z.string(), data: z.looseObject({}) });
type Event = z.infer<typeof Event>;

const AT_ONCE = 4;
/** What happens while so many wait is not told one by one. */
const MOST_WAITING = 100;
/** A variable that may log somebody in is not the command's business. */
const SECRET = /KEY|TOKEN|SECRET|PASSW|CREDENTIAL|^AWS_/i;

/** Runs until it is disposed. */
export function notify(options: NotifyOptions): Disposable {
  const ending = new AbortController();
  const waiting: Event[] = [];
  let running = 0;
  let left = 0;

  async function tell(event: Event): Promise<void> {
    running += 1;
    try {
      await run(options, event);
    } catch (error) {
      if (!ending.signal.aborted) options.log(messageOf(error));
    } finally {
      running -= 1;
      next();
    }
  }

  function next(): void {
    if (running >= AT_ONCE || ending.signal.aborted) return;
    const event = waiting.shift();
    if (event !== undefined) void tell(event);
    if (left > 0 && waiting.length === 0) {
      options.log(`notify.command was too slow: ${String(left)} events were not told`);
      left = 0;
    }
  }

  async function listen(): Promise<void> {
    for await (const batch of options.follow(TOLD, ending.signal))
      for (const item of batch) {
        if (item.kind !== 'event' || !TOLD.has(item.event.type)) continue;
        if (waiting.length >= MOST_WAITING) {
          left += 1;
          continue;
        }
        const event = Event.parse(JSON.parse(item.event.json));
        // A steered message ends with the turn that took it in.
        if (event.data['stopReason'] === 'steered') continue;
        waiting.push(event);
        next();
      }
  }

  listen().catch((error: unknown) => {
    if (!ending.signal.aborted) options.log(`notify.command is not run any more: ${messageOf(error)}`);
  });
  return {
    [Symbol.dispose]() {
      ending.abort();
    },
  };
}

const TOLD: ReadonlySet<string> = new Set(['permission.requested', ...TURN_ENDINGS]);

async function run({ command, timeoutMs, session, at }: NotifyOptions, event: Event): Promise<void> {
  const { id, agent, cwd, name } = session(event.session);
  const about = { id, agent, cwd, ...(name === undefined ? {} : { name }) };
  const env = Object.fromEntries(Object.entries(at.env).filter(([variable]) => !SECRET.test(variable)));
  await runCommand(command, {
    bounds: { timeoutMs, input: Buffer.from(`${JSON.stringify({ session: about, event })}\n`) },
    at: {
      ...at,
      env: {
        ...env,
        PILOTLIGHT_EVENT: event.type,
        PILOTLIGHT_SESSION: id,
        PILOTLIGHT_SUMMARY: summaryOf(event, name ?? `${agent} in ${cwd}`),
      },
    },
    failed: (why) => new Error(`notify.command ${why} (${event.type} of ${id})`),
  });
}

/** One line for a person. Nothing that an agent wrote is in it. */
function summaryOf({ type, data }: Event, who: string): string {
  if (type === 'permission.requested')
    return `${who} ${data['kind'] === 'question' ? 'has a question' : 'asks for permission'}`;
  if (type === 'turn.completed') return `${who} is done`;
  if (type === 'turn.interrupted') return `${who} was interrupted`;
  return `${who} failed: ${String(data['code'])}`;
}
