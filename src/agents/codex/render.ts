/**
 * The bytes of a write. Deterministic: after a takeover the same write gives the same line.
 * Owns the lines we send once a conversation is open. Only the turn's input is looked up; the rest is in the write.
 */
import { z } from 'zod';
import { PilotlightError, uuidOf, type TurnInput } from '../../protocol/index.ts';

import type { Json, OutgoingWrite, RenderContext } from '../dialect.ts';

export function render(write: OutgoingWrite, context: RenderContext): string {
  switch (write.kind) {
    case 'turn/start':
      return turnStart(TurnStart.parse(write.ref), context);
    case 'turn/interrupt': {
      const { id, thread, codexTurn } = Interrupt.parse(write.ref);
      return request(id, 'turn/interrupt', { threadId: thread, turnId: codexTurn });
    }
    case 'thread/settings/update': {
      const { id, thread, settings } = Settings.parse(write.ref);
      return request(id, 'thread/settings/update', { threadId: thread, ...settings });
    }
    case 'thread/backgroundTerminals/clean': {
      const { id, thread } = Clean.parse(write.ref);
      return request(id, 'thread/backgroundTerminals/clean', { threadId: thread });
    }
    case 'answer': {
      const { to, result } = Answer.parse(write.ref);
      return JSON.stringify({ id: to, result });
    }
    case 'refusal': {
      const { to, code, message } = Refusal.parse(write.ref);
      return JSON.stringify({ id: to, error: { code, message } });
    }
    default:
      throw new PilotlightError('internal', `Codex has no write of kind ${write.kind}`);
  }
}

const Target = z.object({ id: z.number(), thread: z.string() });
const TurnStart = Target.extend({
  turn: z.string(),
  plan: z.object({ model: z.string(), effort: z.string().nullable() }).optional(),
});
const Interrupt = Target.extend({ codexTurn: z.string() });
const Clean = Target;
const Settings = Target.extend({ settings: z.record(z.string(), z.json()) });
const To = z.union([z.string(), z.number()]);
const Answer = z.object({ to: To, result: z.json() });
const Refusal = z.object({ to: To, code: z.number(), message: z.string() });

/** `clientUserMessageId` does not deduplicate (the same one twice runs twice): it only tells which message is ours. */
function turnStart(ref: z.infer<typeof TurnStart>, context: RenderContext): string {
  const { id, thread, turn, plan } = ref;
  return request(id, 'turn/start', {
    threadId: thread,
    input: inputOf(context.input(turn)),
    clientUserMessageId: uuidOf(turn),
    ...(plan === undefined ? {} : { collaborationMode: planMode(plan) }),
  });
}

/** `developer_instructions: null` are the built-in ones of the mode; the thread's own stay beside them. */
function planMode(plan: { readonly model: string; readonly effort: string | null }): Json {
  return {
    mode: 'plan',
    settings: { model: plan.model, reasoning_effort: plan.effort, developer_instructions: null },
  };
}

/** A lone surrogate would make the line no JSON for Codex, and such a line is never answered: texts are cleaned. */
function inputOf(input: TurnInput): Json {
  if (typeof input === 'string') return [{ type: 'text', text: input.toWellFormed(), text_elements: [] }];
  return input.map((block) =>
    block.type === 'text'
      ? { type: 'text', text: block.text.toWellFormed(), text_elements: [] }
      : { type: 'image', url: `data:${block.mediaType};base64,${block.data}` },
  );
}

function request(id: number, method: string, params: Json): string {
  return JSON.stringify({ id, method, params });
}
