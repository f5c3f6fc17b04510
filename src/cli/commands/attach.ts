/** `attach`: follows a session live. On a terminal, typing sends, Ctrl-C interrupts the turn (twice leaves), Ctrl-D detaches. */
import { createInterface } from 'node:readline';
import type { ClientSession } from '../../client/index.ts';
import { messageOf, TURN_ENDINGS, type SessionView } from '../../protocol/index.ts';
import { AttachedKeys } from '../attached-keys.ts';
import type { Context } from '../context.ts';
import { numberOf, required, type Options } from '../options.ts';
import { drained, whenReaderLeaves } from '../pipe.ts';
import { noSuchPlace } from '../place.ts';
import { Renderer } from '../render.ts';

/** What is being followed, and how it was left. */
class Attachment {
  readonly leave = new AbortController();
  /** What was typed here and not yet seen among the events: it stands on the screen already. */
  readonly #typed: string[] = [];
  interrupts = 0;
  code = 0;

  typed(text: string): void {
    this.#typed.push(text);
  }

  /** Whether this message came from elsewhere. Told by its text: its event may be here before the answer that names its turn. */
  fromElsewhere(text: string): boolean {
    const at = this.#typed.indexOf(text);
    if (at === -1) return true;
    this.#typed.splice(at, 1);
    return false;
  }

  end(code: number): void {
    this.code = code;
    this.leave.abort();
  }
}

export async function run(
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const { output } = context;
  const client = await context.client();
  const session = client.session(required(args, 0, 'the session id'));
  const view = await session.view();
  const after = numberOf(options, 'from') ?? (await beginning(session, view));
  const follow = view.state !== 'closed';
  const attachment = new Attachment();
  const renderer = new Renderer(output, { showsQuestion: (text) => attachment.fromElsewhere(text) });
  using _reader = whenReaderLeaves(() => attachment.end(0));
  const keys = new AttachedKeys(session, (format, text) => renderer.aside(format, text));
  using _stop = process.stdin.isTTY ? listen({ renderer, session, attachment, keys }) : onSignal(attachment);
  for (const open of view.openPermissions > 0 ? await session.permissions() : []) keys.requested(open);
  const { signal } = attachment.leave;
  for await (const item of session.events({ after, follow, signal })) {
    if (item.type === 'stream.gap' || item.type === 'stream.reset') {
      if (output.json) output.object(item);
      if (item.type === 'stream.reset') throw noSuchPlace(after, item);
      if (!output.json) output.note('(events were removed by retention)', 'dim');
      continue;
    }
    renderer.show(item);
    if (item.type === 'permission.requested') keys.requested(item.data);
    if (item.type === 'permission.resolved') keys.resolved(item.data.id);
    await drained();
    if (TURN_ENDINGS.has(item.type)) attachment.interrupts = 0;
    if (item.type === 'session.closed') break;
  }
  if (!signal.aborted) output.note('The session is closed.', 'dim');
  return attachment.code;
}

/** Where to begin unless told: at the running turn, so that its text is read from its first word; otherwise now. */
async function beginning(session: ClientSession, view: SessionView): Promise<number> {
  const { lastSeq, currentTurn } = view;
  if (currentTurn === undefined) return lastSeq;
  const { accepted } = await session.turn(currentTurn);
  return Math.max(0, accepted.seq - 1);
}

function listen(terminal: {
  readonly renderer: Renderer;
  readonly session: ClientSession;
  readonly attachment: Attachment;
  readonly keys: AttachedKeys;
}): Disposable {
  const { renderer, session, attachment, keys } = terminal;
  const complain = (error: unknown): void => renderer.aside('yellow', messageOf(error));
  renderer.aside('dim', 'Attached: a line sends, Ctrl-C interrupts the turn, Ctrl-D leaves.');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  lines.on('line', (line) => {
    attachment.interrupts = 0;
    if (line.trim() !== '') void send(session, line, attachment).catch(complain);
  });
  const unlisten = keys.listen(lines);
  lines.on('SIGINT', () => {
    attachment.interrupts += 1;
    if (attachment.interrupts > 1) return attachment.end(130);
    renderer.aside('dim', 'Interrupting; Ctrl-C again leaves.');
    session.interrupt().catch(complain);
  });
  lines.on('close', () => {
    if (!attachment.leave.signal.aborted) attachment.end(0);
  });
  return {
    [Symbol.dispose]() {
      unlisten[Symbol.dispose]();
      lines.close();
    },
  };
}

/** A line typed while a turn runs waits for its place. */
async function send(session: ClientSession, line: string, attachment: Attachment): Promise<void> {
  attachment.typed(line);
  try {
    await session.send(line, { whenBusy: 'queue' });
  } catch (error) {
    attachment.fromElsewhere(line);
    throw error;
  }
}

function onSignal(attachment: Attachment): Disposable {
  const act = (): void => attachment.end(130);
  process.once('SIGINT', act);
  process.once('SIGTERM', act);
  return {
    [Symbol.dispose]() {
      process.off('SIGINT', act);
      process.off('SIGTERM', act);
    },
  };
}
