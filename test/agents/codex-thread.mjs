/**
 * A thread of the fake Codex: its turns one after the other, its memory, its one writer, its background commands.
 * Knows nothing of requests.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CodexTurn } from './codex-turn.mjs';
import { Memory } from './lifetime.mjs';

/** What the server answers with an error. */
export class Refusal extends Error {
  code = -32600;
}

/** Too many requests: the caller may try again later. */
export class Overload extends Refusal {
  code = -32001;
}

export class Thread {
  createdAt = Date.now();
  remembered = [];
  turns = [];
  requests = 0;
  plan = false;
  /** Commands that run, or that an interrupt left running. */
  terminals = new Map();
  turn;
  #ids = 0;
  #lock;

  constructor(server, id, { cwd, model, approvalPolicy, sandbox, config }) {
    this.commandEnv = variablesOf(config);
    const folder = path.join(server.home, 'fake-threads');
    Object.assign(this, { server, id, model: model ?? 'fake-model', sandbox });
    this.cwd = cwd ?? process.cwd();
    this.approvalPolicy = approvalPolicy ?? 'on-request';
    this.path = path.join(folder, `${id}.jsonl`);
    this.memory = new Memory(folder, id);
    this.#lock = path.join(folder, `${id}.writer`);
  }

  /** One writer a thread, as long as its process lives. */
  lock() {
    if (alive(this.#lock)) throw new Refusal(`thread ${this.id} already has an active writer`);
    mkdirSync(path.dirname(this.#lock), { recursive: true });
    writeFileSync(this.#lock, String(process.pid));
  }

  unlock() {
    rmSync(this.#lock, { force: true });
  }

  remember({ clientId, text }) {
    this.remembered.push(text);
    this.memory.append({ uuid: clientId ?? null, text });
  }

  freshId(prefix) {
    this.#ids += 1;
    return `${prefix}_${process.pid}_${this.#ids}`;
  }

  begin(turn) {
    const before = this.turn?.done;
    this.turn = turn;
    this.turns.push(turn);
    void this.#run(turn, before);
  }

  async #run(turn, before) {
    await before;
    await turn.run();
    const { faults, out, stdin } = this.server;
    if (turn.faults.has('result-then-exit')) {
      await out.flush();
      process.exit(Number(turn.faults.argument('result-then-exit', '0')));
    }
    if (faults.has('stop-reading-stdin')) stdin.stop();
    if (faults.has('result-then-hang')) {
      await out.flush();
      out.mute();
    }
    if (this.turn !== turn) return;
    this.turn = undefined;
    if (turn.faults.takes('woke')) this.begin(new CodexTurn(this, [], { woken: true }));
  }

  /** For the turns that come. */
  change({ model, approvalPolicy, collaborationMode }) {
    if (model != null) this.model = model;
    if (approvalPolicy != null) this.approvalPolicy = approvalPolicy;
    if (collaborationMode != null) this.plan = collaborationMode.mode === 'plan';
  }

  /** Kills what runs in the background; only now its items are completed. */
  async clean() {
    const items = [...this.terminals.values()];
    this.terminals.clear();
    for (const item of items) {
      const now = Date.now();
      const ended = { ...item, status: 'failed', exitCode: -1, durationMs: 1, completedAtMs: now };
      const params = { threadId: this.id, turnId: this.turns.at(-1)?.id, item: ended, completedAtMs: now };
      await this.server.out.json({ method: 'item/completed', params, emittedAtMs: now });
    }
  }
}

function alive(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    if (pid === process.pid) return false;
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** `shell_environment_policy.set.NAME`: of the commands of this thread. */
function variablesOf(config = {}) {
  const key = 'shell_environment_policy.set.';
  const own = Object.entries(config).filter(([name]) => name.startsWith(key));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(key.length), value]));
}
