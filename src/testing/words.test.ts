import { expect, test } from 'vitest';
import { stepsOf } from './words.ts';

test.each([
  ['say Hello world', [{ kind: 'block', block: { text: 'Hello world' } }]],
  ['SAY a\\nb', [{ kind: 'block', block: { text: 'a\nb' } }]],
  [
    'stream 2 words 20ms',
    [{ kind: 'block', block: { text: 'word00001 word00002', chunk: 10, delayMs: 20 } }],
  ],
  ['count to 3 every 1.5s', [{ kind: 'block', block: { text: '1 2 3', chunk: 2, delayMs: 1500 } }]],
  ['big 2kB', [{ kind: 'block', block: { bytes: 2048 } }]],
  ['big 5MB in 64B deltas', [{ kind: 'block', block: { bytes: 5_242_880, chunk: 64 } }]],
  ['wait 0.2s', [{ kind: 'block', block: { waitMs: 200 } }]],
  ['hold here', [{ kind: 'block', block: { hold: 'here' } }]],
  ['hold here before headers', [{ kind: 'hold-headers', gate: 'here' }]],
  ['cut', [{ kind: 'block', block: { cut: true } }]],
  ['silence 3 times', [{ kind: 'block', block: { silence: true, times: 3 } }]],
  ['silence without headers once', [{ kind: 'no-headers', strikes: { times: 1 } }]],
  ['fail 429 after 2s thrice', [{ kind: 'fail', failure: { status: 429, retryAfter: 2, times: 3 } }]],
  ['context-error once', [{ kind: 'fail', failure: { status: 400, contextLength: true, times: 1 } }]],
  ['tokens 150000 10', [{ kind: 'usage', usage: { input: 150_000, output: 10 } }]],
  ['recall', [{ kind: 'recall' }]],
  ['run: a then say b', [{ kind: 'tools', intents: [{ kind: 'run', command: 'a then say b' }] }]],
  [
    'write: a.txt: x: y\\nz',
    [{ kind: 'tools', intents: [{ kind: 'write', path: 'a.txt', content: 'x: y\nz' }] }],
  ],
  [
    'ask: Which one? Red | Blue',
    [{ kind: 'tools', intents: [{ kind: 'ask', question: 'Which one?', options: ['Red', 'Blue'] }] }],
  ],
  [
    'tool: Grep {"pattern":"x"}',
    [{ kind: 'tools', intents: [{ kind: 'tool', name: 'Grep', input: { pattern: 'x' } }] }],
  ],
  [
    'tool: apply_patch *** Begin\\nPatch',
    [{ kind: 'tools', intents: [{ kind: 'tool', name: 'apply_patch', input: '*** Begin\nPatch' }] }],
  ],
])('%s', (text, steps) => {
  expect(stepsOf(text)).toEqual(steps);
});

test('several directives stand on lines of their own or are joined by `then`; other lines count for nothing', () => {
  const kinds = stepsOf('Please do this:\n  think about it then say one\n\nrun: ls\nfail 500 once').map(
    (step) => step.kind,
  );
  expect(kinds).toEqual(['block', 'block', 'tools', 'fail']);
});

test.each([
  'hello',
  'I say so',
  'fail',
  'fail 200',
  'cut it out',
  'count the files',
  'stream of thoughts',
  'recall what I said',
  'run the tests',
  '',
])('%j is no directive', (text) => {
  expect(stepsOf(text)).toEqual([]);
});
