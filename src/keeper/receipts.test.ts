import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Order } from './frames.ts';
import { Receipts } from './receipts.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function listening(): { readonly orders: Order[]; readonly receipts: Receipts } {
  const orders: Order[] = [];
  return { orders, receipts: new Receipts((order) => orders.push(order)) };
}

test('many small pieces are one word, soon', () => {
  const { orders, receipts } = listening();
  for (let offset = 100; offset <= 1000; offset += 100) {
    receipts.received('a', offset);
    receipts.acknowledge('a', offset);
  }
  receipts.received('b', 5);
  expect(orders).toEqual([]);
  vi.runAllTimers();
  expect(orders).toEqual([
    { t: 'ack', id: 'a', offset: 1000 },
    { t: 'received', id: 'b', offset: 5 },
  ]);
  vi.runAllTimers();
  expect(orders).toHaveLength(2);
});

test('what flow control waits for is told at once, whatever else waits', () => {
  const { orders, receipts } = listening();
  receipts.received('small', 10);
  receipts.received('big', 64 * 1024);
  receipts.received('big', 70_000);
  expect(orders).toEqual([{ t: 'received', id: 'big', offset: 64 * 1024 }]);
  receipts.acknowledge('big', 64 * 1024);
  receipts.received('big', 200_000);
  expect(orders.slice(1)).toEqual([
    { t: 'ack', id: 'big', offset: 64 * 1024 },
    { t: 'received', id: 'big', offset: 200_000 },
  ]);
});

test('leaving tells the rest; what was forgotten, or has nobody to be told, is not told', () => {
  const { orders, receipts } = listening();
  receipts.acknowledge('a', 7);
  receipts.acknowledge('b', 8);
  receipts.forget('b');
  receipts.flush();
  expect(orders).toEqual([{ t: 'ack', id: 'a', offset: 7 }]);
  receipts.acknowledge('a', 9);
  receipts.drop();
  vi.runAllTimers();
  expect(orders).toHaveLength(1);
});
