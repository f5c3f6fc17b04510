/**
 * Any text at all: what is allowed is what a real shell runs, and nothing put around an allowed command stays allowed.
 */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePolicy, judge, type Verdict } from './index.ts';
import { readScript } from './script.ts';

const WORKSPACE = { cwd: '/w', files: { realpath: (path: string) => path, lstat: () => ({}) } };
const ALLOWED = ['git status', 'ls *', 'echo *', 'npm run *'];
const RULES = compilePolicy(ALLOWED.map((match) => ({ tool: 'execute', match, decision: 'allow' as const })));
const DENIALS = compilePolicy([
  { tool: 'execute', decision: 'allow' },
  { tool: 'execute', match: 'rm *', decision: 'deny' },
]);

function decide(rules: typeof RULES, command: string): Verdict['decision'] | undefined {
  return judge([rules], { name: 'Bash', kind: 'execute', input: { command } }, WORKSPACE)?.decision;
}

const allowed = fc.constantFrom<string>('git status', 'ls -la src', 'echo "a b"', 'npm run build');
const other = fc.constantFrom<string>(
  'rm -rf x',
  '/bin/rm x',
  "r''m x",
  'git push',
  'ls x > y',
  './ls',
  'git "status "',
);
const joint = fc.constantFrom(
  ';',
  '&&',
  '||',
  '|',
  '|&',
  '&',
  '\n',
  '\r\n',
  ' ; ',
  '\n\n',
  '; ;',
  ';\n',
  '& ',
);
const around = fc.constantFrom<(inner: string) => string>(
  (inner) => `$(${inner})`,
  (inner) => `\`${inner}\``,
  (inner) => `"$(${inner})"`,
  (inner) => `<(${inner})`,
  (inner) => `"\${x:-$(${inner})}"`,
  (inner) => `$((a[$(${inner})]))`,
  (inner) => `<<X\n$(${inner})\nX`,
  (inner) => `<<< "$(${inner})"`,
);

describe('nothing put behind, before or into an allowed command stays allowed', () => {
  it('joined in any way, unless each part is allowed', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(allowed, joint), { maxLength: 4 }), other, fc.nat(), (parts, odd, at) => {
        const words = parts.map(([command]) => command);
        words.splice(at % (words.length + 1), 0, odd);
        const text = words.map((word, place) => word + (parts[place]?.[1] ?? '')).join('');
        expect(decide(RULES, text)).not.toBe('allow');
      }),
    );
    fc.assert(
      fc.property(fc.array(allowed, { minLength: 1, maxLength: 4 }), (words) => {
        for (const sign of [';', ' && ', '||', '|', '\n'])
          expect(decide(RULES, words.join(sign))).toBe('allow');
      }),
    );
  });

  it('substituted, whatever is in it; what is denied is denied there too', () => {
    fc.assert(
      fc.property(allowed, around, fc.oneof(allowed, other), (command, wrap, inner) => {
        expect(decide(RULES, `${command} ${wrap(inner)}`)).not.toBe('allow');
      }),
    );
    fc.assert(
      fc.property(allowed, around, (command, wrap) => {
        expect(decide(DENIALS, `${command} ${wrap('rm x')}`)).toBe('deny');
      }),
    );
  });

  it('run by others', () => {
    const runners = fc.constantFrom(
      'sudo',
      'env',
      'env A=1',
      'xargs',
      'nohup',
      'timeout 5',
      'command',
      'exec',
      'eval',
    );
    fc.assert(
      fc.property(runners, fc.oneof(allowed, other), (runner, command) => {
        expect(decide(RULES, `${runner} ${command}`)).not.toBe('allow');
      }),
    );
    fc.assert(
      fc.property(fc.array(runners, { minLength: 1, maxLength: 3 }), (chain) => {
        expect(decide(DENIALS, `${chain.join(' ')} rm x`)).not.toBe('allow');
        expect(decide(DENIALS, `${chain[0] ?? ''} rm x`)).toBe('deny');
      }),
    );
  });

  it('quoted letter by letter, a denied program is denied', () => {
    const letter = (text: string): fc.Arbitrary<string> =>
      fc.constantFrom(text, `'${text}'`, `"${text}"`, `\\${text}`, `''${text}`);
    fc.assert(
      fc.property(letter('r'), letter('m'), (r, m) => {
        expect(decide(DENIALS, `${r}${m} x`)).toBe('deny');
      }),
    );
  });
});

/** Pieces of a script: signs, quotes and words that begin something, in any order. */
const PIECES = (
  'p|p |x|y| |  |\t|\n|;|&|&&|"|\'|\\|\\\n|#| #|$|`|(|)|{|}|<|>|!|*|?|[|]|~|=|=p|,|^|%|@|+|-|:|$(|${|$((|<(|<<x|\\"|' +
  "\\'|'x'|\"x\"|$'|p x|a=|2>&1|>/dev/null|{a,b}|\r|é|;;|&>|\u00a0|x#y|!p|function |if |then |fi|do |done|time |{ |p; }|[[ |x=("
).split('|');
const script = fc
  .array(fc.constantFrom(...PIECES, '|', '||', '|&'), { minLength: 1, maxLength: 9 })
  .map((pieces) => `p ${pieces.join('')}`);

describe('a real shell', () => {
  it('runs of an allowed text what was read in it, and nothing else', () => {
    const prelude = `p() { printf 'P'; for a in "$@"; do printf '<%s>' "$a"; done; printf '\\n'; }
command_not_found_handle() { printf 'OTHER %s\\n' "$1"; }
`;
    let compared = 0;
    fc.assert(
      fc.property(script, (text) => {
        const { targets, limit, opaque } = readScript(text);
        if (limit || opaque || !targets.every(({ words, runs }) => words[0]?.text === 'p' && !runs)) return;
        compared += 1;
        const { stdout } = spawnSync('/bin/bash', ['--norc', '-c', prelude + text], {
          env: { PATH: '/nonexistent' },
          encoding: 'utf8',
          input: '',
        });
        expect(stdout).not.toContain('OTHER');
        // Of what runs beside each other, is not printed or grows by what is on the disk, the words cannot be compared.
        const sequence =
          !/&(?!&)|\||\/dev\/null|>&/.test(text) &&
          targets.every(({ words }) => words.every((word) => word.fixed));
        const words = targets.map(
          (one) =>
            `P${one.words
              .slice(1)
              .map((word) => `<${word.text}>`)
              .join('')}\n`,
        );
        if (sequence && stdout !== '') expect(stdout).toBe(words.join(''));
      }),
      { numRuns: 600 },
    );
    expect(compared).toBeGreaterThan(20);
  });
});
