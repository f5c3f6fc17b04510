/**
 * A dialect under watch: every step of it is checked for what the port promises of all dialects, whatever the line or the command.
 * Owns what a step may never do (change its input, differ the second time, outgrow the journal's row). Knows nothing of what signals mean.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Dialect, RequestIds, Step } from '../../src/agents/dialect.ts';

/** A runtime's row holds the dialect's state beside the offset: at most this many bytes of JSON. */
const STATE_BYTES = 65_536;

/** The same dialect; what its steps do wrong goes to `fault`. Each state is given on as it comes back from JSON, as after a takeover. */
export function strict<S>(dialect: Dialect<S>, fault: (words: string) => void): Dialect<S> {
  const watched = (state: S, ids: RequestIds, take: (state: S, ids: RequestIds) => Step<S>): Step<S> => {
    const before = structuredClone(state);
    const counted = new CountedIds(ids);
    const step = take(state, counted);
    if (!isDeepStrictEqual(state, before)) fault('the state that went in was changed');
    if (counted.given.length !== step.writes.length)
      fault(`${String(counted.given.length)} ids for ${String(step.writes.length)} writes`);
    if (!isDeepStrictEqual(take(before, counted.again()), step)) fault('the same step twice differs');
    if (!isDeepStrictEqual(reread(step.writes), step.writes)) fault('a write is not plain JSON');
    return { ...step, state: readBack(dialect, step.state, fault) };
  };
  return {
    ...dialect,
    accept: (state, command, ids) => watched(state, ids, (s, i) => dialect.accept(s, command, i)),
    translate: (state, line, ids) => watched(state, ids, (s, i) => dialect.translate(s, line, i)),
    render(write, context) {
      const line = dialect.render(reread(write), context);
      if (line.includes('\n')) fault('a write is more than a line');
      if (dialect.render(write, context) !== line) fault('the same write twice differs');
      return line;
    },
  };
}

function readBack<S>(dialect: Dialect<S>, state: S, fault: (words: string) => void): S {
  const text = JSON.stringify(state);
  if (Buffer.byteLength(text) > STATE_BYTES) fault('the state is too large');
  const revived = dialect.revive(JSON.parse(text));
  if (!isDeepStrictEqual(revived, state)) fault('the state comes back changed');
  return revived;
}

function reread<T>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}

/** Passes ids on and can give the same ones again. */
class CountedIds implements RequestIds {
  readonly given: number[] = [];
  readonly #ids: RequestIds;

  constructor(ids: RequestIds) {
    this.#ids = ids;
  }

  next(): number {
    const id = this.#ids.next();
    this.given.push(id);
    return id;
  }

  again(): RequestIds {
    const ids = [...this.given];
    return { next: () => ids.shift() ?? -1 };
  }
}
