/** The people of one session: they look what is open and answer it as planned, and remember what they were told. Judges nothing. */
import { setTimeout as pass } from 'node:timers/promises';
import type { Answered } from '../oracle/history.ts';
import type { PlannedAnswer, PlannedAnswers } from '../plan/people.ts';
import type { Caller } from './caller.ts';

const LOOK_MS = 60;

interface Request {
  readonly id: string;
  readonly kind: string;
  readonly questions?: readonly { readonly id: string }[];
}

export class People {
  readonly answers: Answered[] = [];
  readonly #session: string;
  readonly #plan: readonly PlannedAnswers[];
  readonly #caller: Caller;
  /** Seen, and answered or left to the deadline. */
  readonly #known = new Set<string>();

  constructor(session: string, plan: readonly PlannedAnswers[], caller: Caller) {
    this.#session = session;
    this.#plan = plan;
    this.#caller = caller;
  }

  /** Until the run's time is over. Never rejects. */
  async run(over: AbortSignal): Promise<void> {
    const busy: Promise<void>[] = [];
    try {
      for (;;) {
        await pass(LOOK_MS, undefined, { signal: over });
        const path = `/v1/sessions/${this.#session}/permissions`;
        const { body } = await this.#caller.ask({ method: 'GET', path }, over);
        const open: readonly Request[] = body.items ?? [];
        for (const request of open.filter(({ id }) => !this.#known.has(id))) {
          const planned = this.#plan[this.#known.size % this.#plan.length] ?? [];
          this.#known.add(request.id);
          busy.push(...planned.map((one, place) => this.#answer(request, one, { place, over })));
        }
      }
    } catch {
      // The time is over.
    }
    await Promise.all(busy);
  }

  async #answer(
    request: Request,
    planned: PlannedAnswer,
    { place, over }: { place: number; over: AbortSignal },
  ): Promise<void> {
    const { decision, edited, afterMs } = planned;
    const answer = { request: request.id, decision, unsure: true };
    this.answers.push(answer);
    try {
      await pass(afterMs, undefined, { signal: over });
      const question = request.kind === 'question';
      const reply = await this.#caller.ask(
        {
          method: 'POST',
          path: `/v1/sessions/${this.#session}/permissions/${request.id}`,
          key: `${request.id}-${String(place)}`,
          body: {
            decision: question && decision === 'allow_for_session' ? 'allow' : decision,
            ...(decision === 'deny' ? { message: 'not today' } : {}),
            ...(edited && decision === 'allow' && !question ? { input: { command: 'true' } } : {}),
            ...(question ? { answers: { [request.questions?.[0]?.id ?? 'q']: ['Blue'] } } : {}),
          },
        },
        over,
      );
      Object.assign(answer, {
        unsure: false,
        status: reply.status,
        code: reply.body?.code,
        told: { decision: reply.body?.decision, by: reply.body?.by },
      });
    } catch {
      // The time is over: whether it was taken is not known.
    }
  }
}
