/**
 * The bytes of a write. Deterministic: after a takeover the same write gives the same line.
 * Owns the lines we send once a conversation is open. One bad line ends Claude, so only these schemas make one.
 */
import { z } from 'zod';
import { PilotlightError, uuidOf, type TurnInput } from '../../protocol/index.ts';
import type { Json, OutgoingWrite, RenderContext } from '../dialect.ts';
import { cleanText } from '../text.ts';
import { settingsId } from './settings.ts';

export function render(write: OutgoingWrite, context: RenderContext): string {
  switch (write.kind) {
    case 'prompt': {
      const { turn } = Prompt.parse(write.ref);
      return prompt(turn, context.input(turn));
    }
    case 'interrupt': {
      const { id } = Interrupt.parse(write.ref);
      return request(interruptId(id), { subtype: 'interrupt' });
    }
    case 'settings': {
      const { id, body } = Settings.parse(write.ref);
      return request(settingsId(id), body);
    }
    case 'answer': {
      const { to, response } = Answer.parse(write.ref);
      return JSON.stringify({
        type: 'control_response',
        response: { subtype: 'success', request_id: to, response },
      });
    }
    case 'refusal': {
      const { to, error } = Refusal.parse(write.ref);
      return JSON.stringify({
        type: 'control_response',
        response: { subtype: 'error', request_id: to, error },
      });
    }
    default:
      throw new PilotlightError('internal', `Claude has no write of kind ${write.kind}`);
  }
}

const Prompt = z.object({ turn: z.string() });
const Interrupt = z.object({ id: z.number() });
const Settings = z.object({
  id: z.number(),
  body: z.union([
    z.strictObject({ subtype: z.literal('set_permission_mode'), mode: z.string() }),
    z.strictObject({ subtype: z.literal('set_model'), model: z.string() }),
  ]),
});
const Answer = z.object({ to: z.string(), response: z.json() });
const Refusal = z.object({ to: z.string(), error: z.string() });

const INTERRUPT = 'interrupt-';

export function interruptId(id: number): string {
  return `${INTERRUPT}${String(id)}`;
}

/** Whether an answer is to an interrupt of ours. The goodbye's own are named otherwise. */
export function isInterruptId(request: string): boolean {
  return request.startsWith(INTERRUPT);
}

export function request(id: string, body: { readonly [key: string]: Json }): string {
  return JSON.stringify({ type: 'control_request', request_id: id, request: body });
}

/** The uuid binds what comes back to the turn. Claude swallows a repeated one, so the same message can never run twice. */
function prompt(turn: string, input: TurnInput): string {
  return JSON.stringify({
    type: 'user',
    message: { role: 'user', content: contentOf(input) },
    parent_tool_use_id: null,
    uuid: uuidOf(turn),
  });
}

function contentOf(input: TurnInput): Json {
  if (typeof input === 'string') return cleanText(input);
  return input.map((block) =>
    block.type === 'text'
      ? { type: 'text', text: cleanText(block.text) }
      : {
          type: 'image',
          source: { type: 'base64', media_type: block.mediaType, data: cleanText(block.data) },
        },
  );
}
