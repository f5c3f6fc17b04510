import { expect, test } from 'vitest';
import { KnownSecrets } from './known.ts';
import { redactionOf } from './redaction.ts';

test('without secrets there is nothing; short ones are none', () => {
  expect(redactionOf([])).toBeUndefined();
  expect(redactionOf(['', '1', '1234567'])).toBeUndefined();
});

test('a secret in every form that it is met in', () => {
  const secret = 'made-up "secret"\n/+?';
  const redaction = redactionOf([secret])!;
  const forms = [
    secret,
    JSON.stringify(secret),
    JSON.stringify(JSON.stringify({ secret })),
    `https://x.test/?key=${encodeURIComponent(secret)}`,
    Buffer.from(secret).toString('base64'),
  ];
  for (const form of forms) {
    expect(redaction.mask(form), form).not.toContain('made-up');
    expect(redaction.mask(form), form).toContain('[masked]');
  }
});

test('masked JSON is JSON', () => {
  const redaction = redactionOf(['a"b\\c\nd-made-up'])!;
  const line = JSON.stringify({
    text: 'x a"b\\c\nd-made-up y',
    nested: JSON.stringify(['a"b\\c\nd-made-up']),
  });
  expect(JSON.parse(redaction.mask(line))).toEqual({ text: 'x [masked] y', nested: '["[masked]"]' });
});

test('the longest of two that begin alike, also when its end comes later', () => {
  const redaction = redactionOf(['made-up-1', 'made-up-1-and-more'])!;
  expect(redaction.mask('made-up-1-and-more')).toBe('[masked]');
  expect(redaction.split('say made-up-1')).toEqual({ shown: 'say ', held: 'made-up-1' });
  expect(redaction.split('say made-up-1-x')).toEqual({ shown: 'say [masked]-x', held: '' });
});

test('a text that was cut inside a secret', () => {
  const redaction = redactionOf(['made-up-secret'])!;
  expect(redaction.maskCut('raw: made-up-sec')).toBe('raw: [masked]');
  expect(redaction.maskCut('raw: made-up-secret')).toBe('raw: [masked]');
  expect(redaction.maskCut('a word like made')).toBe('a word like made');
});

test('megabytes of the worst text take no more than megabytes of any', () => {
  const redaction = redactionOf(['a'.repeat(4000) + 'b', 'a'.repeat(2000)])!;
  const text = 'a'.repeat(1_999) + 'c';
  expect(redaction.mask(text.repeat(500))).toBe(text.repeat(500));
  expect(redaction.split('a'.repeat(1_000_001)).shown.length).toBeGreaterThan(0);
});

test('what is known is by who brought it', () => {
  const known = new KnownSecrets();
  expect(known.mask('made-up-1')).toBe('made-up-1');
  known.know('ses_1', ['made-up-1']);
  known.know('ses_2', ['made-up-2']);
  expect(known.mask('made-up-1 made-up-2')).toBe('[masked] [masked]');
  known.know('ses_1', ['made-up-3']);
  expect(known.mask('made-up-1 made-up-3')).toBe('made-up-1 [masked]');
  known.forget('ses_2');
  expect(known.mask('made-up-2')).toBe('made-up-2');
});

test('a long secret is masked piece by piece; a boundless one holds nobody up', () => {
  const long = Array.from({ length: 2000 }, (_, n) => `made-up-${String(n)}`).join('.');
  const redaction = redactionOf([long, 'x'.repeat(50_000_000), 'made-up-short'])!;
  expect(redaction.mask(`a ${long} b made-up-short`).replaceAll('[masked]', '')).toMatch(/^a .{0,7} b $/);
});
