/** What the demo shows: conversations, a daemon that dies in mid-answer, warm turns. Each act fails when what it shows does not hold. */
import type { ClientSession } from '../../client/index.ts';
import { TURN_ENDINGS, type SessionEvent, type TurnView } from '../../protocol/index.ts';
import type { Actor, Stage } from './stage.ts';

/** How the demo speaks. */
export interface Told {
  title(text: string): void;
  say(text: string): void;
  line(text: string): void;
  aside(text: string): void;
  tool(text: string): void;
  good(text: string): void;
}

const sessions = new Map<string, string>();

/** Three messages, a tool use among them. */
export async function converse(stage: Stage, actor: Actor, told: Told): Promise<void> {
  told.title(`${actor.title}: three messages to one warm process`);
  const session = await sessionOf(stage, actor);
  for (const message of [
    'stream 12 words 40ms',
    'run: echo "hello from $(uname -s)"',
    'think about keeping a flame alive then say A small flame lights the burner at once.',
  ]) {
    told.line(`› ${message}`);
    const turn = await session.send(message);
    for await (const event of turn) show(event, told);
    await mustComplete(turn.result, actor);
  }
}

/** kill -9 in mid-answer; the same process finishes it under the next daemon. */
export async function surviveKill(stage: Stage, actor: Actor, told: Told): Promise<void> {
  told.title(`${actor.title}: the daemon is killed in mid-answer`);
  const session = await sessionOf(stage, actor);
  const gate = `demo-${actor.name}`;
  const agent = (await session.view()).runtime.pid;
  const turn = await session.send(`stream 8 words 40ms then hold ${gate} then say ${REST}`);
  let seen = 0;
  for await (const event of turn) {
    show(event, told);
    if (event.type === 'message.delta') seen += 1;
    if (seen >= 6) break;
  }
  const killed = await stage.kill();
  told.line('');
  told.tool(`✗ kill -9 ${String(killed)}: the daemon is gone. The agent ${String(agent)} is not.`);
  stage.release(gate);
  const next = await stage.revive();
  told.good(`✓ daemon ${String(next.pid)} took over`);
  const again = (await stage.client()).session(session.id);
  const { result } = await again.turn(turn.id);
  await mustComplete(result, actor);
  const after = (await again.view()).runtime.pid;
  if (after !== agent)
    throw new Error(`${actor.title} is another process now: ${String(agent)} before, ${String(after)} after`);
  const { messages, lastSeq } = await checkedJournal(again, turn.id);
  if (messages.join(' ') !== ANSWER)
    throw new Error(`${actor.title}'s answer is not whole: ${JSON.stringify(messages)}`);
  for (const text of messages) told.line(text);
  told.good(
    `✓ the answer is whole, from the same process (${String(agent)}), events 1 to ${String(lastSeq)} without a gap`,
  );
}

const REST = '… and this is the rest of the same answer.';
const ANSWER = `${Array.from({ length: 8 }, (_, at) => `word${String(at + 1).padStart(5, '0')}`).join(' ')} ${REST}`;

/** What the journal has of a turn. Throws unless seq counts from 1 without gap or repetition and the turn has one ending. */
async function checkedJournal(
  session: ClientSession,
  turn: string,
): Promise<{ readonly messages: readonly string[]; readonly lastSeq: number }> {
  const messages: string[] = [];
  let lastSeq = 0;
  let endings = 0;
  for await (const item of session.events({ follow: false })) {
    if (item.type === 'stream.gap' || item.type === 'stream.reset')
      throw new Error(`The journal has a hole: ${item.type}`);
    if (item.seq !== lastSeq + 1)
      throw new Error(`Event ${String(item.seq)} follows event ${String(lastSeq)}`);
    lastSeq = item.seq;
    if (item.turn !== turn) continue;
    if (item.type === 'message.completed') messages.push(item.data.text.trim());
    if (TURN_ENDINGS.has(item.type)) endings += 1;
  }
  if (endings !== 1) throw new Error(`The turn has ${String(endings)} endings`);
  return { messages, lastSeq };
}

export async function warmTurns(
  stage: Stage,
  actor: Actor,
  turns: number,
): Promise<{ readonly times: readonly number[]; readonly memoryMb: number | undefined }> {
  const session = await sessionOf(stage, actor);
  const times: number[] = [];
  for (let at = 0; at < turns; at += 1) {
    const began = performance.now();
    const turn = await session.send('say hello there');
    let first: number | undefined;
    for await (const event of turn) if (event.type === 'message.delta') first ??= performance.now();
    times.push((first ?? performance.now()) - began);
  }
  return { times, memoryMb: (await session.view()).runtime.rssMb };
}

async function sessionOf(stage: Stage, actor: Actor): Promise<ClientSession> {
  const client = await stage.client();
  const known = sessions.get(actor.name);
  if (known !== undefined) return client.session(known);
  const session = await client.sessions.create({
    agent: actor.name,
    cwd: stage.cwd,
    mode: 'bypass',
    env: { ...actor.env },
  });
  sessions.set(actor.name, session.id);
  return session;
}

async function mustComplete(result: Promise<TurnView>, actor: Actor): Promise<TurnView> {
  const turn = await result;
  if (turn.state !== 'completed')
    throw new Error(`${actor.title} did not complete its turn: ${turn.error?.message ?? turn.state}`);
  return turn;
}

function show(event: SessionEvent, told: Told): void {
  switch (event.type) {
    case 'message.delta':
      told.say(event.data.text);
      return;
    case 'message.completed':
      told.say('\n');
      return;
    case 'tool.started':
      told.tool(`● ${event.data.name} ${JSON.stringify(event.data.input).slice(0, 100)}`);
      return;
    case 'turn.completed':
      told.aside(
        `  first token ${String(event.data.ttftMs ?? '?')} ms, whole turn ${String(event.data.durationMs)} ms`,
      );
      return;
    default:
      return;
  }
}
