/** Bodies that only the API has. */
import { z } from 'zod';

/** No body is needed, and fields in one are refused by name. */
export const NoBody = z.strictObject({});

export const StopDaemon = z.strictObject({ now: z.boolean().optional() });
