/** Follows a turn on the terminal: text as it comes, Ctrl-C interrupts it, twice leaves. Gives the exit code of its ending. */
import type { ClientSession, ClientTurn } from '../client/index.ts';
import type { Context } from './context.ts';
import { Exit } from './exit.ts';
import { Renderer } from './render.ts';

export async function streamTurn(
  context: Context,
  session: ClientSession,
  turn: ClientTurn,
): Promise<number> {
  const renderer = new Renderer(context.output);
  let asked = false;
  let left = false;
  const onInterrupt = (): void => {
    if (asked) {
      left = true;
      void turn[Symbol.asyncDispose]();
      return;
    }
    asked = true;
    context.output.note('Interrupting; Ctrl-C again leaves.');
    session.interrupt().catch(() => undefined);
  };
  process.on('SIGINT', onInterrupt);
  try {
    for await (const event of turn) renderer.show(event);
  } catch (error) {
    if (left) throw new Exit(130);
    throw error;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
  const { state } = await turn.result;
  return state === 'completed' ? 0 : state === 'interrupted' ? 130 : 1;
}

/** The whole of stdin. */
export async function readStdin(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const chunk of process.stdin) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts).toString('utf8').trimEnd();
}
