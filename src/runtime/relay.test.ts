import { expect, test } from 'vitest';
import { exitOf, Relay } from './relay.ts';

const WINDOW = 1024;

test('more output than fits into the window does not hold back the exit of a child that nobody reads', async () => {
  const relay = new Relay();
  let acknowledged = 0;
  let printed = 0;
  const exit = { code: 0, signal: undefined, stderrTail: '', stuck: [] };
  /** As the keeper: told is what fits behind what was acknowledged; the exit comes after the last byte. */
  const flow = (): void => {
    while (printed < 5 * WINDOW && printed - acknowledged < WINDOW) {
      printed += 100;
      relay.out(printed - 100, Buffer.alloc(100));
    }
    if (printed >= 5 * WINDOW) relay.exit(exit);
  };
  const exited = exitOf(relay, {
    acknowledge: (offset) => {
      acknowledged = offset;
      setImmediate(flow);
    },
  });
  flow();
  await exited;
  expect(acknowledged).toBe(printed);
});
