/** How a runtime ended, in the words of its session. Pure. */
import type { ChildExit } from '../process/ports.ts';
import type { RuntimeEndReason } from '../protocol/index.ts';
import type { RuntimeInput } from '../session/ports.ts';

export type End =
  | { readonly kind: 'exit'; readonly exit: ChildExit }
  /** Whoever held its pipes is gone. */
  | { readonly kind: 'lost'; readonly reason: string };

type Ended = Extract<RuntimeInput, { kind: 'runtime-ended' }>;

/** `wanted`: why it was being ended; an end that nobody wanted is a crash. */
export function howEnded(
  end: End,
  wanted: RuntimeEndReason | undefined,
): Pick<Ended, 'reason' | 'code' | 'signal' | 'stderrTail' | 'lost' | 'unended'> {
  const reason = wanted ?? 'crashed';
  if (end.kind === 'lost') return { reason, lost: true };
  const { code, signal, stderrTail, stuck } = end.exit;
  return {
    reason: stuck.length > 0 ? 'stuck' : reason,
    ...(code === undefined ? {} : { code }),
    ...(signal === undefined ? {} : { signal }),
    ...(stderrTail === '' ? {} : { stderrTail }),
    ...(stuck.length === 0 ? {} : { unended: stuck.map(({ pid }) => pid) }),
  };
}

/** Whether what sessions are told of their process is a failure of it. `over`: its end was wanted. */
export function isFailure(input: RuntimeInput, over: boolean): boolean {
  switch (input.kind) {
    case 'agent':
    case 'runtime-ready':
      return false;
    case 'runtime-broken':
      return true;
    case 'runtime-failed':
      return !over && !input.retry;
    case 'runtime-ended':
      return (input.reason === 'crashed' || input.reason === 'stuck') && input.lost !== true;
  }
}
