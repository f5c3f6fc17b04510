/**
 * One request of either API as a {@link ModelRequest}, and the key by which its repetition is known.
 */
import { createHash } from 'node:crypto';
import { anthropicConversation, anthropicEntries, anthropicSide, anthropicTools } from './anthropic.ts';
import { standingOf } from './conversation.ts';
import { type JsonObject, textOf } from './json.ts';
import { openaiConversation, openaiEntries, openaiSide, openaiTools } from './openai-request.ts';
import type { ModelApi, ModelRequest } from './script.ts';

export interface Seen {
  readonly api: ModelApi;
  readonly body: JsonObject;
  readonly headers: Readonly<Record<string, string>>;
  readonly path: string;
  readonly bytes: number;
  readonly number: number;
}

/** `key` is the same for a request and its retries, also when the retry does not stream; `position`: see Attempts. */
export function readRequest(seen: Seen): { request: ModelRequest; key: string; position: number } {
  const { api, body, headers } = seen;
  const isAnthropic = api === 'anthropic';
  const { position, ...standing } = standingOf(isAnthropic ? anthropicEntries(body) : openaiEntries(body));
  const side = isAnthropic
    ? anthropicSide(body, headers, standing.lastUserText)
    : openaiSide(headers, standing.lastUserText);
  const conversation = isAnthropic ? anthropicConversation(body, headers) : openaiConversation(body, headers);
  const request: ModelRequest = {
    ...seen,
    ...standing,
    model: textOf(body['model']) || 'fake-model',
    stream: body['stream'] === true,
    tools: isAnthropic ? anthropicTools(body) : openaiTools(body),
    side,
    conversation,
    at: Date.now(),
  };
  const said = createHash('sha1').update(standing.lastUserText).digest('base64');
  return { request, key: [api, conversation, side, standing.round, said].join(' '), position };
}
