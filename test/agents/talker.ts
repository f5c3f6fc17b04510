/**
 * The host's side of a fake agent, for the tests of the fakes: raw lines in order, turns by name, exits as promises.
 * Takes every line as it comes: what is not JSON is kept as text.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import path from 'node:path';
import { installFakeAgents } from '../support/pathed.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- whatever an agent says; a test looks at the fields that it proves
export type Line = Record<string, any>;
export type Agent = 'claude' | 'codex';

const SCRATCH = path.resolve(import.meta.dirname, '../../.scratch');

/** A folder for the memories, the log and the working directory of the fakes of one test. */
export class Place implements Disposable {
  readonly root: string;
  readonly log: string;
  readonly fakes;
  readonly #talkers: Talker[] = [];

  constructor() {
    mkdirSync(SCRATCH, { recursive: true });
    this.root = realpathSync(mkdtempSync(path.join(SCRATCH, 'fakes-')));
    this.log = path.join(this.root, 'received.jsonl');
    this.fakes = installFakeAgents(path.join(this.root, 'bin'));
  }

  start(agent: Agent, { faults = '', args = [] as readonly string[], env = {} } = {}): Talker {
    const flags = agent === 'codex' ? ['app-server'] : ['-p', '--permission-prompt-tool', 'stdio', ...args];
    const child = spawn(agent === 'codex' ? this.fakes.codexPath : this.fakes.claudePath, flags, {
      cwd: this.root,
      env: {
        PATH: process.env['PATH'] ?? '',
        CLAUDE_CONFIG_DIR: path.join(this.root, 'claude'),
        CODEX_HOME: path.join(this.root, 'codex'),
        FAKE_AGENT_LOG: this.log,
        FAKE_FAULT: faults,
        FAKE_LIFE_MS: '60000',
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const talker = new Talker(agent, child);
    this.#talkers.push(talker);
    return talker;
  }

  received(): readonly Line[] {
    return readFileSync(this.log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  }

  [Symbol.dispose](): void {
    for (const talker of this.#talkers) talker.kill('SIGKILL');
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }
}

export class Talker {
  /** Every line of stdout. */
  readonly raw: string[] = [];
  readonly lines: Line[] = [];
  readonly child: ChildProcess;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Stdout's end too. */
  readonly closed: Promise<unknown>;
  stderr = '';
  /** Bytes behind the last newline. */
  rest = Buffer.alloc(0);
  bytes = 0;
  /** Codex: the thread. */
  thread = '';
  readonly #agent: Agent;
  readonly #waiting = new Set<() => void>();
  #ids = 0;
  #from = 0;
  #over = false;

  constructor(agent: Agent, child: ChildProcess) {
    this.#agent = agent;
    this.child = child;
    this.exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
    this.closed = once(child, 'close').then(() => {
      this.#over = true;
      this.#wake();
    });
    child.stdin?.on('error', () => undefined);
    child.stdout?.on('data', (chunk: Buffer) => this.#hear(chunk));
    child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
      this.#wake();
    });
  }

  send(message: object): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** `initialize`, and for Codex a thread: a new one, or `resume`. Returns the last answer. */
  async greet({ resume = '', approvalPolicy = 'untrusted' } = {}): Promise<Line> {
    if (this.#agent === 'claude') return this.control({ subtype: 'initialize' });
    const clientInfo = { name: 'test', title: 'test', version: '1' };
    await this.request('initialize', { clientInfo, capabilities: { experimentalApi: true } });
    this.send({ method: 'initialized' });
    const opened = await (resume === ''
      ? this.request('thread/start', { approvalPolicy })
      : this.request('thread/resume', { threadId: resume, approvalPolicy }));
    this.thread = opened['result']?.thread.id ?? '';
    if (resume === '') await this.line((line) => line['method'] === 'thread/started');
    return opened;
  }

  async control(request: object): Promise<Line> {
    this.#ids += 1;
    const id = `test-${this.#ids}`;
    this.send({ type: 'control_request', request_id: id, request });
    const line = await this.line(
      (said) => said['type'] === 'control_response' && said['response'].request_id === id,
    );
    return line['response'] as Line;
  }

  async request(method: string, params: object): Promise<Line> {
    this.#ids += 1;
    const id = `test-${this.#ids}`;
    this.send({ id, method, params });
    return this.line((said) => said['id'] === id && said['method'] === undefined);
  }

  /** Sends a prompt. What `turn`, `ended` and `text` look at begins here. */
  prompt(text: string, options: { readonly uuid?: string; readonly extra?: object } = {}): string {
    const { uuid = randomUUID(), extra = {} } = options;
    this.#from = this.lines.length;
    if (this.#agent === 'claude') {
      this.send({ type: 'user', message: { role: 'user', content: text }, parent_tool_use_id: null, uuid });
      return uuid;
    }
    const input = [{ type: 'text', text }];
    const params = { threadId: this.thread, input, clientUserMessageId: uuid, ...extra };
    this.send({ id: `turn-${uuid}`, method: 'turn/start', params });
    return uuid;
  }

  /** Sends it and gives the line that ends its turn. */
  async turn(text: string, options?: Parameters<Talker['prompt']>[1]): Promise<Line> {
    this.prompt(text, options);
    return this.ended();
  }

  /** The line that ends the turn: a result, or `turn/completed`'s turn. */
  async ended(): Promise<Line> {
    const line = await this.line((said) => said['type'] === 'result' || said['method'] === 'turn/completed');
    return line['params']?.turn ?? line;
  }

  async interrupt(): Promise<Line> {
    if (this.#agent === 'claude') return this.control({ subtype: 'interrupt' });
    const started = await this.line((said) => said['method'] === 'turn/started');
    return this.request('turn/interrupt', { threadId: this.thread, turnId: started['params'].turn.id });
  }

  /** The first text of the turn has been heard. */
  firstDelta(): Promise<Line> {
    return this.line((said) => deltaOf(said) !== undefined);
  }

  /** The deltas since the last prompt. */
  deltas(): string[] {
    return this.lines.slice(this.#from).flatMap((line) => deltaOf(line) ?? []);
  }

  /** The finished texts since the last prompt. */
  texts(): string[] {
    return this.lines.slice(this.#from).flatMap((line) => textsOf(line));
  }

  /** Lines since the last prompt, briefly: type and what tells lines of a type apart. */
  brief(): string[] {
    return this.lines.slice(this.#from).map(briefOf);
  }

  turnLines(): readonly Line[] {
    return this.lines.slice(this.#from);
  }

  /** The first line since the last prompt that fits. Fails when stdout ends without it. */
  async line(fits: (line: Line) => boolean): Promise<Line> {
    let at = this.#from;
    await this.until(() => {
      while (at < this.lines.length && !fits(this.lines[at] as Line)) at += 1;
      return at < this.lines.length;
    });
    return this.lines[at] as Line;
  }

  /** Waits for output after which `holds`; fails when stdout ends before. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#over)
        throw new Error(`it did not come; stderr: ${this.stderr}; last: ${this.raw.slice(-3).join('\n')}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
      this.#waiting.delete(resolve);
    }
  }

  #hear(chunk: Buffer): void {
    this.bytes += chunk.length;
    const parts = Buffer.concat([this.rest, chunk]);
    let from = 0;
    for (let at = parts.indexOf(10); at >= 0; at = parts.indexOf(10, from)) {
      const line = parts.subarray(from, at).toString();
      from = at + 1;
      this.raw.push(line);
      this.lines.push(parsed(line));
    }
    this.rest = parts.subarray(from);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}

function parsed(line: string): Line {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : { garbage: line };
  } catch {
    return { garbage: line };
  }
}

function deltaOf(line: Line): string | undefined {
  return line['method'] === 'item/agentMessage/delta' ? line['params'].delta : line['event']?.delta?.text;
}

function textsOf(line: Line): string[] {
  if (line['method'] === 'item/completed' && line['params'].item.type === 'agentMessage')
    return [line['params'].item.text];
  if (line['type'] !== 'assistant') return [];
  return (line['message'].content as Line[]).flatMap((block) =>
    block['type'] === 'text' ? [block['text']] : [],
  );
}

function briefOf(line: Line): string {
  if ('garbage' in line) return 'garbage';
  if (line['type'] === undefined) {
    const item = line['params']?.item?.type;
    return `${line['method'] ?? (line['error'] === undefined ? 'answer' : 'refusal')}${item === undefined ? '' : ` ${item}`}`;
  }
  const detail = line['state'] ?? line['subtype'] ?? line['event']?.type ?? line['request']?.subtype;
  return detail === undefined ? `${line['type']}` : `${line['type']} ${detail}`;
}
