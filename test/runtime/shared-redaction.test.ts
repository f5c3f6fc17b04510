import { expect, test } from 'vitest';
import type { SessionHost } from '../../src/host/index.ts';
import { MASK } from '../../src/redact/index.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { MemoryKeeper } from '../support/memory-keeper.ts';
import { toyHost, toySettings } from '../support/toy.ts';
import { sharedBy, sharedToyBrain, type ToySharingOptions } from '../support/toy-shared.ts';
import { until } from '../support/until.ts';

/** P9 where sessions share a process: what one of them brought is masked in what any of them says, however their lines are mixed. */

const BY = { by: { kind: 'client' as const } };
const OPENS = sharedToyBrain([]);

/** Sessions in the order in which they were created bring these. */
const SECRETS = ['made-up-first-secret', 'made-up-second-secret'];

class Home {
  readonly keeper = new MemoryKeeper((line, ...rest) => {
    if (!line.startsWith('p ')) OPENS(line, ...rest);
  });
  readonly ids: string[] = [];
  /** What a session brings, by its id. */
  readonly brought = new Map<string, string>();
  journal = new MemoryJournal();
  #host: SessionHost | undefined;

  get host(): SessionHost {
    if (this.#host === undefined) throw new Error('not started');
    return this.#host;
  }

  async start(more: ToySharingOptions = {}): Promise<void> {
    const member: ToySharingOptions['member'] = async (session) => {
      if (!this.ids.includes(session)) this.ids.push(session);
      const secret = SECRETS[this.ids.indexOf(session)];
      return { settings: { ...toySettings, secrets: secret === undefined ? [] : [secret] } };
    };
    const sharing = sharedBy({ member, ...more });
    this.#host = await toyHost(this.journal, this.keeper, { sharing });
  }

  /** The daemon dies, and the next one takes over. */
  async again(more: ToySharingOptions = {}): Promise<void> {
    this.host.detach();
    this.keeper.cutOff();
    this.journal = this.journal.reopen();
    await this.start(more);
  }

  /** A session with a turn under way; its seat. */
  async talking(): Promise<{ readonly id: string; readonly seat: string }> {
    const { id } = (await this.host.create({ agent: 'toy', cwd: '/' }, BY)).value;
    const before = this.#prompts().length;
    const turn = (await this.host.send(id, { input: 'hi' }, BY)).value.id;
    await until(() => this.#prompts().length > before);
    const seat = this.#prompts().at(-1)?.split(' ')[1] ?? '';
    this.say(`${seat} r ${turn}`);
    return { id, seat };
  }

  #prompts(): string[] {
    return this.keeper.received.filter((line) => line.startsWith('p '));
  }

  say(...lines: readonly string[]): void {
    const [child = ''] = this.keeper.children.keys();
    this.keeper.print(child, lines.map((line) => `${line}\n`).join(''));
  }

  /** All that a session was told, deltas joined. */
  async told(id: string, last: string): Promise<string> {
    const own = (): readonly string[] =>
      this.journal.all
        .filter((event) => event.session === id)
        .map((event) => (event.type === 'message.delta' ? event.data.text : JSON.stringify(event)));
    await until(() => own().join('').includes(last));
    return own().join('');
  }
}

test('the end of one session’s turn does not let go of half a secret that another is just saying', async () => {
  const home = new Home();
  await home.start();
  const [a, b] = [await home.talking(), await home.talking()];
  home.say(`${b.seat} d it is ${SECRETS[1]?.slice(0, 12)}`);
  home.say(`${a.seat} d over`, `${a.seat} e`);
  await home.told(a.id, 'turn.completed');
  home.say(`${b.seat} d ${SECRETS[1]?.slice(12)} and so on`);
  const told = await home.told(b.id, 'and so on');
  expect(told).toContain(`it is ${MASK} and so on`);
  expect(told).not.toContain(SECRETS[1]);
  expect(told).not.toContain('made-up');
});

test('what one session brought is masked in what the others say and in what it says itself, also when it came later', async () => {
  const home = new Home();
  await home.start();
  const a = await home.talking();
  home.say(`${a.seat} d at first ${SECRETS[0]} alone`);
  await home.told(a.id, 'alone');
  const b = await home.talking();
  for (const { seat } of [a, b])
    home.say(`${seat} d one ${SECRETS[0]} two ${SECRETS[1]}`, `${seat} w ${SECRETS.join(' ')}`, `${seat} e`);
  for (const { id } of [a, b]) {
    const told = await home.told(id, 'turn.completed');
    expect(told).toContain(`one ${MASK} two ${MASK}`);
    expect(told).not.toContain('made-up');
  }
});

test('what is held back of one stream stays so while somebody with another secret takes a seat', async () => {
  const home = new Home();
  await home.start();
  const a = await home.talking();
  home.say(`${a.seat} d it is ${SECRETS[0]?.slice(0, 12)}`);
  await home.told(a.id, 'it is');
  const b = await home.talking();
  home.say(`${a.seat} d ${SECRETS[0]?.slice(12)} and so on`);
  expect(await home.told(a.id, 'and so on')).toContain(`it is ${MASK} and so on`);
  expect(b.seat).not.toBe(a.seat);
});

test('the next daemon masks what sessions of the daemon before brought, for all of them', async () => {
  const home = new Home();
  await home.start();
  const [a, b] = [await home.talking(), await home.talking()];
  await home.again();
  for (const { seat } of [a, b]) home.say(`${seat} d one ${SECRETS[0]} two ${SECRETS[1]}`, `${seat} e`);
  for (const { id } of [a, b]) {
    const told = await home.told(id, 'turn.completed');
    expect(told).toContain(`one ${MASK} two ${MASK}`);
    expect(told).not.toContain('made-up');
  }
});

test('what a session brought stays masked when it has left the process to others', async () => {
  const home = new Home();
  await home.start();
  const [a, b] = [await home.talking(), await home.talking()];
  await home.host.close(a.id, BY);
  await home.told(a.id, 'runtime.ended');
  home.say(`${b.seat} d one ${SECRETS[0]} two ${SECRETS[1]}`, `${b.seat} e`);
  expect(await home.told(b.id, 'turn.completed')).toContain(`one ${MASK} two ${MASK}`);
});

test('the next daemon masks what it is told by nobody any more: replaced meanwhile, or printed once by a command', async () => {
  const home = new Home();
  const kept = new Map<string, readonly string[]>();
  await home.start({ kept });
  const [a, b] = [await home.talking(), await home.talking()];
  await home.again({ kept, member: async () => ({ settings: toySettings }) });
  for (const { seat } of [a, b]) home.say(`${seat} d one ${SECRETS[0]} two ${SECRETS[1]}`, `${seat} e`);
  for (const { id } of [a, b]) {
    const told = await home.told(id, 'turn.completed');
    expect(told).toContain(`one ${MASK} two ${MASK}`);
    expect(told).not.toContain('made-up');
  }
});
