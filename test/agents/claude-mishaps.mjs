/** What Claude Code prints when a turn does not go its way, and what it might print one day. Pure but for fresh uuids. */
import { randomUUID } from 'node:crypto';

/** The lines that end a message in the middle, made up by 2.1.330 after an interrupt. */
export function abandonedLines(say, { index, open }) {
  const delta = { container: null, stop_details: null, stop_reason: null, stop_sequence: null };
  return [
    ...(open ? [say.event({ type: 'content_block_stop', index })] : []),
    say.event({ type: 'message_delta', context_management: null, delta }),
    say.event({ type: 'message_stop' }, { abandoned_blocks: { from_block_index: index + 1 } }),
  ];
}

/** Lines, events and requests that no version has yet. */
export function strangeLines(say) {
  return [
    { type: 'ui_from_the_future', what: { nested: [1, null] }, uuid: randomUUID() },
    say.system('subtype_from_the_future', { value: 1 }),
    say.event({ type: 'event_from_the_future', index: 0 }),
    { type: 'control_request', request_id: randomUUID(), request: { subtype: 'request_from_the_future' } },
  ];
}

const REFUSALS = {
  400: 'invalid_request',
  401: 'authentication_failed',
  403: 'authentication_failed',
  429: 'rate_limit',
  529: 'overloaded',
};

/** How the CLI names a refusal of the model's API. */
export function refusalName(status) {
  return REFUSALS[status] ?? 'server_error';
}

/** What the model is told of a tool that an interrupt ended. */
export const REJECTED =
  "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, " +
  'the new_string was NOT written to the file). STOP what you are doing and wait for the user to tell you how to proceed.';
