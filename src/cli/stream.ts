/** Follows a turn on the terminal: text as it comes, Ctrl-C interrupts it, twice leaves. Gives the exit code of its ending. */
import type { ClientSession, Turn } from '../client/index.ts';
import { messageOf } from '../protocol/index.ts';
import { Asker, type AskHow } from './asker.ts';
import type { Context } from './context.ts';
import { Exit } from './exit.ts';
import { drained, whenReaderLeaves } from './pipe.ts';
import { Renderer } from './render.ts';

/** `ask`: what is done with permission requests. Default: asked on the terminal where there is one, else left to other clients. */
export async function streamTurn(
  context: Context,
  followed: { readonly session: ClientSession; readonly turn: Turn; readonly ask?: AskHow },
): Promise<number> {
  const {
    session,
    turn,
    ask = process.stdin.isTTY && context.output.attended ? 'terminal' : 'wait',
  } = followed;
  const renderer = new Renderer(context.output);
  using asker = new Asker(session, ask, (format, text) => renderer.aside(format, text));
  let leaveWith: number | undefined;
  const leave = (code: number): void => {
    leaveWith ??= code;
    void turn[Symbol.asyncDispose]();
  };
  using _reader = whenReaderLeaves(() => leave(0));
  const say = (text: string): void => renderer.aside('dim', text);
  using _signals = onSignals(say, session, leave);
  try {
    for await (const event of turn) {
      renderer.show(event);
      if (event.type === 'permission.requested') asker.requested(event.data);
      if (event.type === 'permission.resolved') asker.resolved(event.data.id);
      await drained();
    }
  } catch (error) {
    if (leaveWith === undefined) throw error;
  }
  if (leaveWith !== undefined) throw new Exit(leaveWith);
  const { state } = await turn.result;
  return state === 'completed' ? 0 : state === 'interrupted' ? 130 : 1;
}

/** Ctrl-C asks the turn to end and, again, leaves; a terminal that closes leaves too, so that what must be closed is closed. */
function onSignals(
  say: (text: string) => void,
  session: ClientSession,
  leave: (code: number) => void,
): Disposable {
  let asked = false;
  const interrupt = (): void => {
    if (asked) return leave(130);
    asked = true;
    say('Interrupting; Ctrl-C again leaves.');
    session.interrupt().catch((error: unknown) => say(messageOf(error)));
  };
  const end = (): void => leave(130);
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', end);
  process.on('SIGHUP', end);
  return {
    [Symbol.dispose]() {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', end);
      process.off('SIGHUP', end);
    },
  };
}

/** What is to be sent: the argument, or all of stdin for `-` and where there is no terminal to type on. */
export async function promptOf(given: string | undefined): Promise<string | undefined> {
  if (given !== undefined && given !== '-') return given;
  if (given === undefined && process.stdin.isTTY) return undefined;
  const parts: Buffer[] = [];
  for await (const chunk of process.stdin) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts).toString('utf8').trimEnd();
}
