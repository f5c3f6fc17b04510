import { expect, test } from 'vitest';
import { ring } from './asker.ts';

function written(isTTY: boolean): string {
  let text = '';
  const write = (more: string | Uint8Array): boolean => {
    text += String(more);
    return true;
  };
  ring({ isTTY, write });
  return text;
}

test('a request rings at a terminal, and writes nothing into a file', () => {
  expect([written(true), written(false)]).toEqual(['\u0007', '']);
});
