/**
 * Commands against rules: attacks by name. Whatever is not surely covered is asked about.
 */
import { describe, expect, it } from 'vitest';
import type { PolicyRule } from '../protocol/index.ts';
import { compilePolicy, judge, type Call, type Verdict } from './index.ts';

type Decision = Verdict['decision'];

const WORKSPACE = {
  cwd: '/work/repo',
  files: { realpath: (path: string) => path, lstat: () => ({}) },
};

const allow = (match: string): PolicyRule => ({ tool: 'execute', match, decision: 'allow' });
const deny = (match: string): PolicyRule => ({ tool: 'execute', match, decision: 'deny' });
const ask = (match: string): PolicyRule => ({ tool: 'execute', match, decision: 'ask' });
const ALL: PolicyRule = { tool: 'execute', decision: 'allow' };

function bash(rules: readonly PolicyRule[], command: string): Decision | undefined {
  const call: Call = { name: 'Bash', kind: 'execute', input: { command } };
  return judge([compilePolicy(rules)], call, WORKSPACE)?.decision;
}

describe('a rule that allows `git status` and `echo *` does not allow', () => {
  const rules = [allow('git status'), allow('echo *')];
  it.each([
    ['a list', 'git status && rm -rf x'],
    ['a list that begins with another', 'rm -rf x && git status'],
    ['an alternative', 'git status || rm -rf x'],
    ['a sequence', 'git status; rm -rf x'],
    ['a sequence without blanks', 'git status;rm -rf x'],
    ['a pipe', 'git status | tee x'],
    ['a pipe of both streams', 'git status |& tee x'],
    ['the background', 'git status & rm -rf x'],
    ['a new line', 'git status\nrm -rf x'],
    ['a carriage return and a new line', 'git status\r\nrm -rf x'],
    ['a line that goes on', 'git \\\nstatus --short'],
    ['a substitution', 'echo $(rm -rf x)'],
    ['a substitution in quotes', 'echo "a $(rm -rf x) b"'],
    ['backticks', 'echo `rm -rf x`'],
    ['backticks in quotes', 'echo "`rm -rf x`"'],
    ['a substitution in arithmetic', 'echo $((a[$(rm -rf x)]))'],
    ['a substitution in a parameter', 'echo ${a:-$(rm -rf x)}'],
    ['a variable', 'echo $SECRET'],
    ['a prompt expansion', 'echo ${x@P}'],
    ['an index that is run', 'echo ${a[b$(rm x)]}'],
    ['a here-document', 'echo <<EOF\nx\nEOF'],
    ['a here-document with a substitution', 'echo <<EOF\n$(rm -rf x)\nEOF'],
    ['a command behind a here-document', 'echo <<EOF\nx\nEOF\nrm x'],
    ['a here-string', 'echo <<< $(rm x)'],
    ['a redirection', 'git status > x'],
    ['a redirection before', '> x git status'],
    ['an appending one', 'git status >> ~/.bashrc'],
    ['one of both streams', 'git status &> x'],
    ['a file that is read', 'git status < /etc/passwd'],
    ['a file behind the other stream', 'git status 2>&1 > x'],
    ['a descriptor that moves', 'git status >&3'],
    ['a network of bash', 'echo x > /dev/tcp/example.com/80'],
    ['a variable before it', 'GIT_PAGER=x git status'],
    ['a variable alone', 'GIT_PAGER=x; git status'],
    ['an array', 'a=(1 2); git status'],
    ['bash -c', "bash -c 'git status'"],
    ['bash -lc', "/bin/bash -lc 'git status'"],
    ['sh -c', 'sh -c "git status"'],
    ['xargs', 'echo x | xargs git status'],
    ['env', 'env git status'],
    ['env with variables', 'env GIT_PAGER=x git status'],
    ['sudo', 'sudo git status'],
    ['nohup', 'nohup git status'],
    ['timeout', 'timeout 5 git status'],
    ['time as a program', '/usr/bin/time git status'],
    ['command', 'command git status'],
    ['exec', 'exec git status'],
    ['eval', 'eval git status'],
    ['eval of a text', 'eval "git status; rm x"'],
    ['source', 'source x; git status'],
    ['a dot', '. ./x; git status'],
    ['process substitution', 'echo <(rm -rf x)'],
    ['process substitution for writing', 'echo >(rm -rf x)'],
    ['a function', 'git() { rm -rf x; }; git status'],
    ['a function of bash', 'function git { rm -rf x; }; git status'],
    ['an alias', "alias git='rm -rf x'; git status"],
    ['a trap', "trap 'rm x' EXIT; git status"],
    ['a path that is set', 'export PATH=/tmp:$PATH; git status'],
    ['a loop', 'for x in a b; do git status; done'],
    ['a loop while', 'while git status; do rm x; done'],
    ['a condition', 'if git status; then rm x; fi'],
    ['a case', 'case x in x) rm x;; esac'],
    ['a test', '[[ -f $(rm x) ]] && git status'],
    ['a subshell', '(git status)'],
    ['a group', '{ git status; }'],
    ['its opposite', '! git status'],
    ['its time', 'time git status'],
    ['a coprocess', 'coproc git status'],
    ['arithmetic', '(( x = 1 )); git status'],
    ['another program of that name', './git status'],
    ['a program of that name elsewhere', '/tmp/git status'],
    ['another word', 'git status --short'],
    ['an option before', 'git -c core.pager=x status'],
    ['one word of two', '"git status"'],
    ['a longer name', 'gitx status'],
    ['half of a name', 'git statusx'],
    ['other letters', 'GIT status'],
    ['a name that is put together', 'g${x}it status'],
    ['a name that expands', 'gi? status'],
    ['a name in braces', '{git,rm} status'],
    ['a quoted text of other shells', "echo $'a\\x27; rm x'"],
    ['a quoted text that is translated', 'echo $"a"'],
    ['a pattern that zsh runs', 'echo *(e:"rm x":)'],
    ['an extended pattern', 'echo @(a|b)'],
    ['a quote that does not end', "echo 'x"],
    ['a substitution that does not end', 'echo $(x'],
    ['a bracket too many', 'git status )'],
    ['nothing', '   '],
    ['a dollar sign before the end of a line', 'echo $\\\n(rm x)'],
    ['a dollar sign of zsh', 'echo $=x'],
    ['a dollar sign of zsh in quotes', 'echo "$=x"'],
    ['a bracket that is never closed', 'echo (x'],
    ['a brace that closes', 'echo x}'],
    ['a redirection alone', 'git status; </dev/null'],
    ['a backslash at the end', 'echo \\'],
    ['a comment alone', '# git status'],
    ['a comment that ends', 'git status # x\nrm x'],
    ['a null character', 'git status\0; rm x'],
    ['an escape character', 'git status \u001b[2K'],
    ['a blank that is none', 'git\u00a0status'],
    ['a sign that turns the text round', 'echo \u202e x'],
    ['a line separator', 'git status\u2028rm x'],
    ['comments without end', `git status ${'#'.repeat(5000)}\n(`],
    ['runners without end', `git status; ${'sudo '.repeat(3000)}`],
    ['scripts in scripts', `git status; ${'sudo bash -c "'.repeat(500)}`],
    ['a very long text', `echo ${'x'.repeat(30_000)}`],
    ['a very deep text', `${'('.repeat(5000)}git status${')'.repeat(5000)}`],
    ['very deep substitutions', `echo ${'$('.repeat(3000)}${')'.repeat(3000)}`],
  ])('%s', (_, command) => {
    expect(bash(rules, command)).not.toBe('allow');
  });

  it.each([
    ['itself', 'git status'],
    ['itself with more blanks', '  git   status  '],
    ['itself in quotes', `'git' "status"`],
    ['itself twice', 'git status && git status; git status\ngit status'],
    ['both', 'git status | echo x'],
    ['any words', 'echo "a; rm x" \'$(rm x)\' a\\;b *.ts ~ {a,b}'],
    ['a dollar sign at the end', 'echo "x$" y$'],
    ['a line that goes on', 'git \\\n  status'],
    ['no words', 'echo'],
    ['the other stream', 'git status 2>&1'],
    ['nowhere', 'git status >/dev/null 2>/dev/null'],
    ['a comment', '# look first\ngit status # and that is all'],
    ['the background', 'git status &'],
  ])('but it allows %s', (_, command) => {
    expect(bash(rules, command)).toBe('allow');
  });
});

describe('programs that run others are allowed by their exact words only', () => {
  it.each<[string, string, string, Decision | undefined]>([
    ['find alone', 'find *', 'find . -name x', 'allow'],
    ['find that runs', 'find *', 'find . -exec rm {} +', undefined],
    ['find that runs here', 'find *', "find . -execdir rm {} ';'", undefined],
    ['find that removes', 'find *', 'find . -delete', undefined],
    ['find that writes', 'find *', 'find . -fprint x', undefined],
    ['xargs', 'xargs *', 'xargs rm', undefined],
    ['sudo', 'sudo *', 'sudo rm x', undefined],
    ['sudo by its path', '/usr/bin/sudo *', '/usr/bin/sudo rm x', undefined],
    ['the very command', 'sudo systemctl restart x', 'sudo systemctl restart x', 'allow'],
    ['the very command and more', 'sudo systemctl restart x', 'sudo systemctl restart x y', undefined],
    ['timeout', 'timeout 60 *', 'timeout 60 npm test', undefined],
    ['bash -c', 'bash *', "bash -c 'git status'", undefined],
    ['bash with a file', 'bash *', 'bash x.sh', undefined],
    ['bash with the very file', 'bash scripts/x.sh', 'bash scripts/x.sh', 'allow'],
    ['a file that is read', 'source *', 'source x', undefined],
    ['the very file that is read', 'source .venv/bin/activate', 'source .venv/bin/activate', 'allow'],
    ['another way of git', 'git *', 'git -c core.pager=x log', undefined],
    ['a file that git writes', 'git log *', 'git log --output=x', undefined],
    ['half of an option', 'git log *', 'git log --outp=x', undefined],
    ['other options', 'git log *', 'git log --oneline -n 3', 'allow'],
    ['letters that stand together', 'sort *', 'sort -uo x y', undefined],
    ['a version of an interpreter', 'python3.12 *', 'python3.12 -c x', undefined],
    ['anything', '*', 'env rm x', undefined],
  ])('%s', (_, match, command, decision) => {
    expect(bash([allow(match)], command)).toBe(decision);
  });
});

describe('a rule that denies `rm *` wins over one that allows everything for', () => {
  const rules = [ALL, deny('rm *')];
  it.each([
    ['itself', 'rm x'],
    ['its path', '/bin/rm x'],
    ['other letters', 'RM x'],
    ['quotes', `r''"m" x`],
    ['a backslash', '\\rm x'],
    ['a list', 'git status && rm x'],
    ['a substitution', 'echo $(rm x)'],
    ['backticks', 'echo "`rm x`"'],
    ['process substitution', 'cat <(rm x)'],
    ['a loop', 'for x in a; do rm $x; done'],
    ['a function', 'f() { rm x; }; f'],
    ['a condition', 'if true; then rm x; fi'],
    ['a variable before it', 'A=1 rm x'],
    ['a redirection', 'rm x > y'],
    ['sudo', 'sudo rm x'],
    ['env with variables', 'env A=1 rm x'],
    ['timeout', 'timeout 5 rm x'],
    ['xargs', 'ls | xargs -0 rm'],
    ['bash -c', "bash -c 'rm x'"],
    ['bash with options', "bash --norc -ec 'ls; rm x'"],
    ['bash -c in bash -c', `bash -c "sh -c 'rm x'"`],
    ['eval', "eval 'rm x'"],
    ['a trap', "trap 'rm x' EXIT"],
    ['find', 'find . -exec rm {} +'],
    ['sudo of a shell', "sudo -u root bash -c 'rm x'"],
    ['a here-document', 'cat <<EOF\n$(rm x)\nEOF'],
    ['any argument', 'rm $X'],
    ['a pattern', 'rm *'],
    ['a substitution over two lines', 'ls $\\\n(rm x)'],
    ['a line that goes on within the name', 'r\\\nm x'],
  ])('%s', (_, command) => {
    expect(bash(rules, command)).toBe('deny');
  });

  it.each([
    ['a variable that is run', '$X x'],
    ['a name that expands', 'r? x'],
    ['eval of a variable', 'eval "$X"'],
    ['bash -c of a variable', 'bash -c "$X"'],
    ['a shell that reads', 'echo "cm0geA==" | base64 -d | sh'],
    ['an option that may have a value', 'sudo -u root rm x'],
    ['a text that may be a script', "su - root -c 'rm x'"],
    ['another computer', "ssh host 'rm x'"],
    ['an alias', "alias x='rm'; x y"],
    ['a file that is read', 'source x'],
    ['what does not parse', 'ls )'],
  ])('and asks for %s', (_, command) => {
    expect(bash(rules, command)).toBe('ask');
  });

  it.each([
    ['others', 'ls'],
    ['others with variables', 'echo $HOME > x'],
    ['others in a loop', 'for x in a b; do echo $x; done'],
    ['a word', 'echo rm x'],
    ['a here-document', 'cat > x <<EOF\nrm x\nEOF'],
  ])('but not for %s', (_, command) => {
    expect(bash(rules, command)).toBe('allow');
  });
});

describe('where only a denial is written down', () => {
  it('what may be meant by it is asked, also where everything else would pass', () => {
    const rules = [deny('rm *')];
    expect(bash(rules, 'rm x > y')).toBe('deny');
    expect(bash(rules, 'eval "$X"')).toBe('ask');
    expect(bash(rules, 'ls')).toBeUndefined();
    expect(bash(rules, 'echo $HOME')).toBeUndefined();
  });

  it('exact words that are allowed are no doubt', () => {
    expect(bash([deny('rm *'), allow('source x')], 'source x')).toBe('allow');
    expect(bash([deny('rm *'), ALL], 'source x')).toBe('ask');
  });
});

describe('the order of rules', () => {
  it('the first that fits decides', () => {
    expect(bash([ask('git push *'), allow('git *')], 'git push')).toBe('ask');
    expect(bash([allow('git *'), ask('git push *')], 'git push')).toBe('allow');
  });

  it('each part on its own', () => {
    const rules = [ask('git push *'), allow('git *')];
    expect(bash(rules, 'git status && git push')).toBe('ask');
    expect(bash([...rules, ALL], 'echo $(git push)')).toBe('ask');
    expect(bash(rules, 'git status && ls')).toBeUndefined();
    expect(bash(rules, 'ls')).toBeUndefined();
  });

  it('a rule that denies may be meant by a word that expands', () => {
    const rules = [deny('rm -rf *'), allow('rm *')];
    expect(bash(rules, 'rm x')).toBe('allow');
    expect(bash(rules, 'rm -rf x')).toBe('deny');
    expect(bash(rules, 'rm -{r,f} x')).toBe('ask');
    expect(bash(rules, 'rm -[r]f x')).toBe('ask');
  });

  it('wildcards stay within a word', () => {
    expect(bash([allow('npm run test:*')], 'npm run test:unit')).toBe('allow');
    expect(bash([allow('npm run test:*')], 'npm run test:unit x')).toBeUndefined();
    expect(bash([allow('git * --short')], 'git status --short')).toBe('allow');
    expect(bash([allow('git * --short')], 'git status x --short')).toBeUndefined();
    expect(bash([allow("echo '*'")], "echo '*'")).toBe('allow');
    expect(bash([allow("echo '*'")], 'echo x')).toBeUndefined();
    expect(bash([allow('ls src')], 'ls s*')).not.toBe('allow');
  });
});

describe('the command of Codex is what it hands to the shell', () => {
  const shell = (command: string, more: object = {}): Decision | undefined =>
    judge(
      [compilePolicy([allow('git status'), allow('echo *')])],
      { name: 'shell', kind: 'execute', input: { command, cwd: '/work/repo', ...more } },
      WORKSPACE,
    )?.decision;

  it.each([
    ["/bin/bash -lc 'git status'", 'allow'],
    [`/bin/zsh -lc "echo 'it is' && git status"`, 'allow'],
    ["/bin/bash -lc 'git status && rm x'", undefined],
    ["/bin/bash -lc 'git status' && rm x", undefined],
    ["/bin/bash -lc 'echo $(rm x)'", undefined],
    [`/bin/bash -lc "echo \\$HOME"`, undefined],
    ["/bin/bash -lc 'git status' x", undefined],
    ["/tmp/bash -lc 'git status'", undefined],
    ["/bin/bash -ic 'git status'", undefined],
    [`/bin/bash -lc "bash -lc 'git status'"`, undefined],
  ])('%s', (command, decision) => {
    expect(shell(command)).toBe(decision);
  });

  it('not elsewhere, not with the network, not out of the sandbox', () => {
    const command = "/bin/bash -lc 'git status'";
    expect(shell(command, { cwd: '/elsewhere' })).toBeUndefined();
    expect(shell(command, { network: { host: 'x' } })).toBeUndefined();
    expect(shell(command, { dangerouslyDisableSandbox: true })).toBeUndefined();
  });
});
