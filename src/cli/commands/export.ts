/** `export`: the conversation: turns with their messages and tools; JSON, or Markdown. */
import type { SessionEvent } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import { required, type Options } from '../options.ts';
import { harmless } from '../output.ts';
import { inputText } from '../render.ts';

export async function run(
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const client = await context.client();
  const session = client.session(required(args, 0, 'the session id'));
  const view = await session.view();
  const events: SessionEvent[] = [];
  for await (const item of session.events({ follow: false }))
    if (item.type !== 'stream.gap' && item.type !== 'stream.reset') events.push(item);
  if (options['markdown'] === true && context.output.json) {
    context.output.object({ session: view, markdown: markdown(view.agent, events) });
  } else if (options['markdown'] === true) {
    const text = markdown(view.agent, events);
    process.stdout.write(process.stdout.isTTY ? harmless(text) : text);
  } else process.stdout.write(`${JSON.stringify({ session: view, conversation: conversation(events) })}\n`);
  return 0;
}

type Piece = { readonly role: 'user' | 'agent' | 'tool' | 'ending'; readonly text: string };

/** Each message stands where its turn began, before what was said to it: one that waited in the queue does not stand where it was sent. */
function conversation(events: readonly SessionEvent[]): Piece[] {
  const waiting = new Map<string, Piece>();
  const begun = (turn: string | undefined): Piece[] => {
    const piece = waiting.get(turn ?? '');
    waiting.delete(turn ?? '');
    return piece === undefined ? [] : [piece];
  };
  const pieces = events.flatMap((event): Piece[] => {
    switch (event.type) {
      case 'turn.queued':
        waiting.set(event.turn ?? '', { role: 'user', text: inputText(event.data.input) });
        return [];
      case 'turn.started':
        return begun(event.turn);
      case 'message.completed':
        return event.data.parent === undefined ? [{ role: 'agent', text: event.data.text }] : [];
      case 'tool.started':
        return [{ role: 'tool', text: `${event.data.name} ${JSON.stringify(event.data.input)}` }];
      case 'turn.failed':
        return [...begun(event.turn), { role: 'ending', text: `failed: ${event.data.message}` }];
      case 'turn.interrupted':
        return [...begun(event.turn), { role: 'ending', text: 'interrupted' }];
      default:
        return [];
    }
  });
  return [...pieces, ...waiting.values()];
}

function markdown(agent: string, events: readonly SessionEvent[]): string {
  const names = { user: '## You', agent: `## ${agent}`, tool: '', ending: '' };
  return `${conversation(events)
    .map(({ role, text }) =>
      role === 'tool' ? `> tool: ${text}` : role === 'ending' ? `*${text}*` : `${names[role]}\n\n${text}`,
    )
    .join('\n\n')}\n`;
}
