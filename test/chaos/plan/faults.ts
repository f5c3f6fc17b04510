/** The faults that messages switch on, by agent: whether a turn completes in spite of it and says all that it should. */
import type { Dice } from './dice.ts';

export interface PlannedFault {
  readonly words: string;
  readonly completes: boolean;
  readonly whole: boolean;
}

const ENDS_IT = { completes: false, whole: false };
const BEARS_IT = { completes: true, whole: true };
/** The process that had it is worse for the next message. */
const LATER = { completes: true, whole: true };

type Table = Readonly<Record<string, { readonly completes: boolean; readonly whole: boolean }>>;

const BOTH: Table = {
  'die@LINE': ENDS_IT,
  'half@LINE': ENDS_IT,
  'kill-self@LINE': ENDS_IT,
  'hang@LINE': ENDS_IT,
  'hang-soft@LINE': ENDS_IT,
  'no-result': ENDS_IT,
  'error-result:500': ENDS_IT,
  'huge-no-newline:3': ENDS_IT,
  'exit-clean@LINE': ENDS_IT,
  'close-stdout@LINE': ENDS_IT,
  'result-then-exit': LATER,
  'torn-lines:3': BEARS_IT,
  crlf: BEARS_IT,
  'stderr-flood:3': BEARS_IT,
  'open-tools': BEARS_IT,
  'deaf-interrupt': BEARS_IT,
  'interrupt-refused': BEARS_IT,
  'empty-result': { completes: true, whole: false },
  'bare-result': BEARS_IT,
  'no-opening': BEARS_IT,
  'repeated-message-ids': BEARS_IT,
  'repeated-tool-ids': BEARS_IT,
  'retry-stream': BEARS_IT,
  'second-result': BEARS_IT,
  'late-receipt': BEARS_IT,
  fallback: BEARS_IT,
  garbage: BEARS_IT,
  'unknown-types': BEARS_IT,
  'huge-line:3': BEARS_IT,
  'invalid-utf8': { completes: true, whole: false },
  woke: LATER,
  'ignore-sigterm': LATER,
  'ignore-eof': LATER,
  'eof-late:300': LATER,
  'result-then-hang': LATER,
  'stop-reading-stdin': LATER,
  'grandchild-holds-stdout': { completes: true, whole: false },
};

const TABLES: Readonly<Record<string, Table>> = {
  claude: {
    ...BOTH,
    // An agent that named its messages until now is not believed when its ending names none.
    'no-receipt': ENDS_IT,
    'new-session': BEARS_IT,
  },
  codex: { ...BOTH, 'no-receipt': ENDS_IT, overloaded: ENDS_IT },
};

/** Spoils the process for messages behind it, which then need not complete. */
export const SPOILS = /result-then-|stop-reading-stdin|ignore-|eof-late|woke|grandchild/;

export function faultFor(dice: Dice, agent: string): PlannedFault {
  const [name, how] = dice.pick(Object.entries(TABLES[agent] ?? BOTH));
  return { words: name.replace('LINE', String(dice.between(1, 12))), ...how };
}
