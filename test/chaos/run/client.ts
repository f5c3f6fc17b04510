/**
 * One client at work: creates sessions, sends with keys and repeats them, interrupts, closes; and remembers every answer.
 * Owns what it asked and was told. Judges nothing.
 */
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import type { Answer, Message } from '../oracle/history.ts';
import type { PlannedClient, PlannedSend } from '../plan/client.ts';
import type { Caller, Reply } from './caller.ts';
import { ChaosFollower } from './follower.ts';
import { People } from './people.ts';
import type { World } from './world.ts';

export interface OpenSession {
  readonly id: string;
  readonly agent: string;
  /** Where its agents log what they received. */
  readonly log: string;
  readonly messages: (Message & { readonly answers: Answer[]; unsure: boolean; readonly endless: boolean })[];
  readonly followers: ChaosFollower[];
  readonly people: People;
  interrupted: boolean;
  closed: boolean;
}

export interface Running {
  readonly world: World;
  readonly caller: Caller;
  /** Aborted when the run's time is over. */
  readonly over: AbortSignal;
  /** What a session of this agent needs beside the log: the environment and folder of a real one. */
  readonly more?: ((agent: string) => Record<string, unknown>) | undefined;
}

export class ChaosClient {
  readonly sessions: OpenSession[] = [];
  readonly #plan: PlannedClient;
  readonly #name: string;
  readonly #running: Running;
  readonly #following: Promise<void>[] = [];
  #keys = 0;

  constructor(plan: PlannedClient, name: string, running: Running) {
    this.#plan = plan;
    this.#name = name;
    this.#running = running;
  }

  async run(): Promise<void> {
    const { over } = this.#running;
    try {
      let session = await this.#open();
      for (const step of this.#plan.steps) {
        if (over.aborted) break;
        await this.#pass(step.pauseMs);
        if (step.kind === 'send') await this.#send(session, step);
        else if (step.kind === 'change') await this.#ask('PATCH', `/v1/sessions/${session.id}`, step.change);
        else {
          await this.#close(session);
          session = await this.#open();
        }
      }
    } catch (error) {
      // A client that can go no further is a finding, not the end of the run.
      if (!over.aborted) this.#running.world.trouble('P5', `client ${this.#name} gave up: ${String(error)}`);
    } finally {
      await Promise.all(this.#following);
    }
  }

  /** Messages that have an answer. */
  get answered(): number {
    return this.sessions.flatMap(({ messages }) => messages).filter(({ unsure }) => !unsure).length;
  }

  async #open(): Promise<OpenSession> {
    const { world, more } = this.#running;
    const { agent, followers, asks, people } = this.#plan;
    // One log, so that sessions are alike but for their names: then they may share a process, or be given one that is ahead.
    const log = join(world.home.cwd, 'received');
    const domain = `${this.#name}-${String(this.sessions.length)}`;
    const { env = {}, ...given } = more?.(agent) ?? {};
    const reply = await this.#ask('POST', '/v1/sessions', {
      agent,
      cwd: world.home.cwd,
      mode: asks ? 'default' : 'bypass',
      ...(this.#plan.alone ? { domain } : {}),
      ...given,
      env: { FAKE_AGENT_LOG: log, ...(typeof env === 'object' ? env : {}) },
    });
    if (reply.status !== 201)
      throw new Error(`create: ${String(reply.status)} ${JSON.stringify(reply.body)}`);
    const id = String(reply.body.id);
    const session: OpenSession = {
      id,
      agent,
      log,
      messages: [],
      followers: followers.map(() => new ChaosFollower(world, id)),
      people: new People(id, people, this.#running.caller),
      interrupted: false,
      closed: false,
    };
    this.sessions.push(session);
    if (asks) this.#following.push(session.people.run(this.#running.over));
    for (const [place, follower] of session.followers.entries())
      this.#following.push(follower.run(followers[place] ?? [], this.#running.over));
    return session;
  }

  async #send(session: OpenSession, step: PlannedSend): Promise<void> {
    const { input, marker, expects, calm, endless } = step.message;
    // What becomes of a message for a turn that runs is that turn's affair.
    const own = calm && step.whenBusy !== 'steer';
    const message = { marker, input, expects, calm: own, endless, unsure: false, answers: [] as Answer[] };
    session.messages.push(message);
    const key = this.#key();
    const path = `/v1/sessions/${session.id}/turns`;
    const once = async (): Promise<Reply> => {
      const reply = await this.#ask('POST', path, { input, whenBusy: step.whenBusy }, key);
      message.answers.push({
        status: reply.status,
        turn: reply.body?.id,
        code: reply.body?.code,
        before: reply.before,
      });
      return reply;
    };
    message.unsure = true;
    if (step.whenBusy === 'interrupt') session.interrupted = true;
    const replies = await Promise.all(Array.from({ length: step.copies }, once));
    message.unsure = false;
    const turn = replies.find(({ status }) => status === 202)?.body.id;
    if (turn === undefined) return;
    await Promise.all([
      step.waits ? this.#ending(session, String(turn)) : undefined,
      step.interruptAfterMs === undefined ? undefined : this.#interrupt(session, step.interruptAfterMs),
    ]);
    if (step.again) await once();
  }

  async #interrupt(session: OpenSession, afterMs: number): Promise<void> {
    await this.#pass(afterMs);
    session.interrupted = true;
    await this.#ask('POST', `/v1/sessions/${session.id}/interrupt`, {});
  }

  async #close(session: OpenSession): Promise<void> {
    session.closed = true;
    await this.#ask('DELETE', `/v1/sessions/${session.id}`);
  }

  /** Looks until the turn has ended; asks an endless one to end again, for an interrupt may come before there is anything to interrupt. */
  async #ending(session: OpenSession, turn: string): Promise<void> {
    const endless = session.messages.at(-1)?.endless === true;
    for (let looks = 1; ; looks += 1) {
      await this.#pass(30);
      const { body } = await this.#ask('GET', `/v1/sessions/${session.id}/turns/${turn}`);
      if (body.state !== 'queued' && body.state !== 'running') return;
      if (endless && looks % 30 === 0) await this.#interrupt(session, 0);
    }
  }

  #ask(method: string, path: string, body?: unknown, key = this.#key()): Promise<Reply> {
    return this.#running.caller.ask(
      { method, path, ...(body === undefined ? {} : { body }), ...(method === 'GET' ? {} : { key }) },
      this.#running.over,
    );
  }

  #key(): string {
    this.#keys += 1;
    return `${this.#name}-${String(this.#keys)}`;
  }

  async #pass(ms: number): Promise<void> {
    await pass(ms, undefined, { signal: this.#running.over });
  }
}
