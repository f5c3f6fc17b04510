import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PolicyRule } from '../protocol/index.ts';
import { compilePolicy, judge, mayChange, type Call } from './index.ts';
import { readScript } from './script.ts';

const WORKSPACE = { cwd: '/w', files: { realpath: (path: string) => path, lstat: () => ({}) } };

function decide(rules: readonly PolicyRule[], call: Call): string | undefined {
  return judge([compilePolicy(rules)], call, WORKSPACE)?.decision;
}

function command(text: string, name = 'Bash'): Call {
  return { name, kind: 'execute', input: { command: text } };
}

function edit(path: string, name = 'Write'): Call {
  return { name, kind: 'edit', input: { file_path: path } };
}

const STATUS: readonly PolicyRule[] = [{ tool: 'execute', match: 'git status', decision: 'allow' }];
const LOG: readonly PolicyRule[] = [
  { tool: 'Bash', match: 'git log *', decision: 'allow' },
  { tool: 'Bash', match: 'npm run *', decision: 'allow' },
];

describe('commands', () => {
  test('a rule covers its own words, quoted or not', () => {
    for (const text of ['git status', '  git   status ', 'git "status"', "git 'sta'tus", 'git status # why'])
      expect(decide(STATUS, command(text)), text).toBe('allow');
    for (const text of [
      'git log',
      'git log -n 3',
      'git log && npm run test',
      'git log | git log',
      'git log\nnpm run x',
    ])
      expect(decide(LOG, command(text)), text).toBe('allow');
    expect(decide(STATUS, command('git status 2>/dev/null'))).toBe('allow');
    expect(decide(STATUS, command("/bin/bash -lc 'git status'", 'shell'))).toBe('allow');
  });

  test.each([
    ['git status && rm -rf x', 'another command behind it'],
    ['git status; rm -rf x', 'behind a semicolon'],
    ['git status\nrm -rf x', 'on the next line'],
    ['git status & rm -rf x', 'behind a background command'],
    ['git status | sh', 'a pipe into a shell'],
    ['git status || rm x', 'behind an or'],
    ['git status $(rm -rf x)', 'a substitution'],
    ['git status `rm -rf x`', 'backticks'],
    ['git "$(rm x)" status', 'a substitution in quotes'],
    ['git status <(rm x)', 'a process substitution'],
    ['git status > x', 'a redirection into a file'],
    ['git status >> /etc/passwd', 'appending'],
    ['git status <<E\n$(rm x)\nE', 'a here-document'],
    ['GIT_PAGER="rm x" git status', 'an assignment'],
    ['PATH=/tmp:$PATH git status', 'another program of that name'],
    ['git $X', 'a variable'],
    ['git stat*', 'a glob'],
    ['git ~/status', 'a home'],
    ['(git status)', 'a subshell'],
    ['{ git status; }', 'a group'],
    ['if true; then git status; fi', 'control flow'],
    ['git() { rm x; }; git status', 'a function of that name'],
    ['bash -c "git status"', 'a shell'],
    ['env git status', 'env'],
    ['sudo git status', 'sudo'],
    ['xargs git status', 'xargs'],
    ['eval git status', 'eval'],
    ['time git status', 'time'],
    ['! git status', 'a negation'],
    ['git status extra', 'more words'],
    ['git', 'fewer words'],
    ['/tmp/git status', 'another program'],
    ['git status (', 'what does not parse'],
    ['git status \0', 'a NUL'],
    ["git status '", 'an open quote'],
    ['', 'nothing'],
    ["/bin/bash -lc 'git status; rm x'", 'behind it, through a login shell'],
    [`git ${'x'.repeat(30_000)}`, 'endless words'],
  ])('a rule for `git status` does not cover %j: %s', (text) => {
    expect(decide(STATUS, command(text))).toBeUndefined();
    expect(decide(STATUS, command(text, 'shell'))).toBeUndefined();
  });

  test.each([
    ['find *', 'find . -exec rm {} +'],
    ['find *', 'find . -delete'],
    ['git *', 'git -c core.pager=evil log'],
    ['git *', "git -calias.x='!rm x' x"],
    ['git *', 'git diff --output=/etc/x'],
    ['bash *', 'bash -c "rm x"'],
    ['env *', 'env rm x'],
    ['sudo *', 'sudo rm x'],
    ['xargs *', 'xargs rm'],
    ['python3 *', 'python3 -c "import os"'],
    ['tar *', 'tar cf /dev/null --checkpoint-action=exec=sh x'],
    ['rg *', 'rg --pre sh x'],
    ['*', 'sh -c "rm x"'],
  ])('an open rule `%s` does not cover what runs other things: %s', (match, text) => {
    expect(decide([{ tool: 'execute', match, decision: 'allow' }], command(text))).toBeUndefined();
  });

  test('exact words cover even those', () => {
    const rules: PolicyRule[] = [{ tool: 'execute', match: 'sudo systemctl restart web', decision: 'allow' }];
    expect(decide(rules, command('sudo systemctl restart web'))).toBe('allow');
    expect(decide(rules, command('sudo systemctl restart db'))).toBeUndefined();
  });

  test('a denial wins over any allowance, wherever it stands and whatever stands beside it', () => {
    const rules: PolicyRule[] = [
      { tool: 'execute', decision: 'allow' },
      { tool: 'execute', match: 'rm *', decision: 'deny' },
    ];
    expect(decide(rules, command('ls'))).toBe('allow');
    expect(decide(rules, command('ls && rm -rf x'))).toBe('deny');
    expect(judge([compilePolicy(rules)], command('rm x'), WORKSPACE)?.rule).toBe(
      'permissionPolicy[1]: deny execute rm *',
    );
  });

  test('the first rule that covers decides between allowing and asking; of several commands all count', () => {
    const rules: PolicyRule[] = [
      { tool: 'execute', match: 'git push *', decision: 'ask' },
      { tool: 'execute', match: 'git *', decision: 'allow' },
    ];
    expect(decide(rules, command('git fetch'))).toBe('allow');
    expect(decide(rules, command('git push'))).toBe('ask');
    expect(decide(rules, command('git fetch && git push'))).toBe('ask');
    expect(decide(rules, command('git fetch && make'))).toBeUndefined();
  });

  test('rules of the session come before those of the configuration', () => {
    const own = compilePolicy([{ tool: 'execute', match: 'make *', decision: 'ask' }]);
    const all = compilePolicy([{ tool: '*', decision: 'allow' }], 'permissions.rules');
    expect(judge([own, all], command('make x'), WORKSPACE)?.decision).toBe('ask');
    expect(judge([own, all], command('ls'), WORKSPACE)).toEqual({
      decision: 'allow',
      rule: 'permissions.rules[0]: allow *',
    });
  });

  test('whatever is put behind an allowed command, it is only allowed when that is, too', () => {
    const joint = fc.constantFrom(';', '&&', '||', '|', '\n', '&', ' ; ', '|&');
    const other = fc.constantFrom(
      'rm x',
      'sh',
      '$(id)',
      '`id`',
      'cat < y',
      'X=1',
      '> z',
      '{ id; }',
      'git statuS',
      '\\rm x',
    );
    fc.assert(
      fc.property(joint, other, (between, behind) => {
        expect(decide(STATUS, command(`git status${between}${behind}`))).toBeUndefined();
      }),
    );
  });

  test('any text at all is parsed or not, and never thrown at', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), fc.string({ unit: 'grapheme', maxLength: 60 }), (a, b) => {
        expect(() => readScript(a + b)).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });
});

describe('files', () => {
  test('inside and outside of the workspace, globs, links followed by whoever resolves', () => {
    const rules: PolicyRule[] = [
      { tool: 'edit', match: 'src/**', decision: 'allow' },
      { tool: 'edit', match: '**/.env', decision: 'deny' },
      { tool: 'edit', match: 'outside', decision: 'deny' },
      { tool: 'read', match: 'inside', decision: 'allow' },
    ];
    expect(decide(rules, edit('src/a/b.ts'))).toBe('allow');
    expect(decide(rules, edit('/w/src/x.ts'))).toBe('allow');
    expect(decide(rules, edit('docs/x.md'))).toBeUndefined();
    expect(decide(rules, edit('/etc/passwd'))).toBe('deny');
    expect(decide(rules, edit('src/.env'))).toBe('deny');
    expect(decide(rules, { name: 'Read', kind: 'read', input: { file_path: 'x' } })).toBe('allow');
    expect(decide(rules, { name: 'Read', kind: 'read', input: { file_path: '/wx' } })).toBeUndefined();
    const realpath = (path: string): string => (path === '/w/src/link' ? '/etc/passwd' : path);
    const linked = { ...WORKSPACE, files: { realpath, lstat: () => ({}) } };
    expect(judge([compilePolicy(rules)], edit('src/link'), linked)?.decision).toBe('deny');
  });

  test('several files in one call: all of them need a rule', () => {
    const rules: PolicyRule[] = [{ tool: 'edit', match: 'src/**', decision: 'allow' }];
    const patch = (...paths: readonly string[]): Call => ({
      name: 'apply_patch',
      kind: 'edit',
      input: { paths },
    });
    expect(decide(rules, patch('src/a', 'src/b'))).toBe('allow');
    expect(decide(rules, patch('src/a', 'x'))).toBeUndefined();
    expect(decide(rules, patch())).toBeUndefined();
  });
});

describe('other tools', () => {
  test('hosts, MCP tools by name, kinds, everything', () => {
    const fetch = (url: string): Call => ({ name: 'WebFetch', kind: 'fetch', input: { url } });
    const hosts: PolicyRule[] = [{ tool: 'fetch', match: '*.example.org', decision: 'allow' }];
    expect(decide(hosts, fetch('https://api.example.org/x'))).toBe('allow');
    expect(decide(hosts, fetch('https://example.org.evil.net/'))).toBeUndefined();
    expect(decide(hosts, fetch('no url'))).toBeUndefined();
    const mcp: PolicyRule[] = [{ tool: 'mcp__db__*', decision: 'allow' }];
    expect(decide(mcp, { name: 'mcp__db__query', kind: 'mcp', input: {} })).toBe('allow');
    expect(decide(mcp, { name: 'mcp__dbx__query', kind: 'mcp', input: {} })).toBeUndefined();
    expect(decide([{ tool: '*', decision: 'deny' }], fetch('https://x.y/'))).toBe('deny');
  });

  test('rules that can never mean anything are refused by their place', () => {
    for (const match of ['git status && ls', 'a;b', 'src/[ab', 'x\ny', '$(x)'])
      expect(() =>
        compilePolicy([
          { tool: '*', decision: 'allow' },
          { tool: 'edit', match, decision: 'allow' },
        ]),
      ).toThrow(/permissionPolicy\[1\]/);
  });
});

test('a read-only session may look, and nothing else that can be told', () => {
  for (const text of [
    'ls -la',
    'cat a b',
    'git log --oneline',
    'git diff HEAD~1',
    'ls | wc -l',
    'grep -rn x .',
  ])
    expect(mayChange(command(text)), text).toBe(false);
  for (const text of [
    'touch x',
    'ls > x',
    'git checkout x',
    'git diff --output=x',
    'ls; rm x',
    'cat <<E > x\nE',
    'sed -i s/a/b/ x',
    'tee x',
  ])
    expect(mayChange(command(text)), text).toBe(true);
  expect(mayChange(edit('x'))).toBe(true);
  expect(mayChange({ name: 'mcp__db__write', kind: 'mcp', input: {} })).toBe(true);
  expect(mayChange({ name: 'ExitPlanMode', kind: 'other', input: {} })).toBe(true);
  expect(mayChange({ name: 'Read', kind: 'read', input: {} })).toBe(false);
});
