/** Judges a history by the promises: every breach that it shows. Pure. */
import { deliveryViolations } from './delivery.ts';
import { endingViolations } from './endings.ts';
import type { History, Violation } from './history.ts';
import { orderViolations } from './order.ts';
import { questionViolations } from './questions.ts';
import { processViolations } from './processes.ts';
import { textViolations } from './text.ts';

export function judge(history: History): Violation[] {
  return [
    ...endingViolations(history),
    ...orderViolations(history),
    ...deliveryViolations(history),
    ...textViolations(history),
    ...questionViolations(history),
    ...processViolations(history),
    ...history.troubles,
  ];
}
