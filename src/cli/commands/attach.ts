/** `attach`: follows a session live. On a terminal, typing sends, Ctrl-C interrupts the turn (twice leaves), Ctrl-D detaches. */
import { createInterface } from 'node:readline';
import type { ClientSession } from '../../client/index.ts';
import { messageOf } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import { numberOf, required, type Options } from '../options.ts';
import { Renderer } from '../render.ts';

export async function run(
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const client = await context.client();
  const session = client.session(required(args, 0, 'the session id'));
  const { lastSeq } = await session.view();
  const leave = new AbortController();
  let code = 0;
  const stream = session.events({
    after: numberOf(options, 'from') ?? lastSeq,
    follow: true,
    signal: leave.signal,
  });
  const end = (withCode: number): void => {
    code = withCode;
    leave.abort();
  };
  const stop = process.stdin.isTTY ? listen(context, session, end) : onSignal(end);
  const renderer = new Renderer(context.output);
  try {
    for await (const item of stream) {
      if (item.type === 'stream.gap') context.output.note('(earlier events were removed by retention)');
      else if (item.type !== 'stream.reset') renderer.show(item);
    }
  } finally {
    stop();
  }
  return code;
}

function listen(context: Context, session: ClientSession, end: (code: number) => void): () => void {
  const { output } = context;
  output.note(output.style('dim', 'Attached: a line sends, Ctrl-C interrupts the turn, Ctrl-D leaves.'));
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: '› ' });
  let asked = 0;
  lines.on('line', (line) => {
    asked = 0;
    if (line.trim() !== '') session.send(line).catch((error: unknown) => output.note(messageOf(error)));
  });
  lines.on('SIGINT', () => {
    asked += 1;
    if (asked > 1) return end(130);
    output.note('Interrupting; Ctrl-C again leaves.');
    session.interrupt().catch((error: unknown) => output.note(messageOf(error)));
  });
  lines.on('close', () => end(0));
  return () => lines.close();
}

function onSignal(end: (code: number) => void): () => void {
  const act = (): void => end(130);
  process.once('SIGINT', act);
  return () => process.off('SIGINT', act);
}
