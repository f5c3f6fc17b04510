/** The bodies that are stricter here than where their parts are shared with events. */
import { z } from 'zod';
import { ContentBlock, SendTurn as SharedSendTurn } from '../protocol/index.ts';

const [text, image] = ContentBlock.options;

/** A block of an event may have fields to come; a block of a request may not. */
const StrictBlock = z.discriminatedUnion('type', [text.strict(), image.strict()]);

export const SendTurn = SharedSendTurn.extend({ input: z.union([z.string(), z.array(StrictBlock).min(1)]) });

/** No body is needed, and fields in one are refused by name. */
export const NoBody = z.strictObject({});

export const StopDaemon = z.strictObject({ now: z.boolean().optional() });
