/**
 * What a permission request costs to judge: 200 rules, of which the last one fits, over commands of several sizes, files on a real disk and hosts.
 * A rule is compiled once, so compiling is told apart.
 */
import { lstatSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compilePolicy, judge, type Call, type Workspace } from '../src/policy/index.ts';
import type { PolicyRule } from '../src/protocol/index.ts';
import { makeHome, median, quantile, removeHome, report, round } from './harness.ts';

const RULES = 200;
const ROUNDS = 2000;

export function policy(): void {
  const home = makeHome('');
  try {
    const { cwd } = home;
    mkdirSync(join(cwd, 'src/deep'), { recursive: true });
    writeFileSync(join(cwd, 'src/deep/a.ts'), '');
    const workspace = { cwd, files: { realpath: realpathSync.native, lstat: lstatSync } };
    const long = Array.from({ length: 20 }, () => 'git status --short').join(' && ');
    const rows = [
      cost('a simple command', { call: command('git status --short'), rules: commands(), workspace }),
      cost('twenty commands in a line', { call: command(long), rules: commands(), workspace }),
      cost('a file', { call: edit('src/deep/a.ts'), rules: files(), workspace }),
      cost('a file that is not there yet', { call: edit('src/new/deep/b.ts'), rules: files(), workspace }),
      cost('a host', { call: fetched('https://docs.example.com/x'), rules: hosts(), workspace }),
    ];
    const began = performance.now();
    for (let run = 0; run < 50; run += 1) compilePolicy(commands());
    report('policy', rows, { rules: RULES, compileMs: round((performance.now() - began) / 50, 2) });
  } finally {
    removeHome(home);
  }
}

interface Case {
  readonly call: Call;
  readonly rules: readonly PolicyRule[];
  readonly workspace: Workspace;
}

function cost(name: string, { call, rules, workspace }: Case): Record<string, string | number> {
  const compiled = [compilePolicy(rules)];
  const times: number[] = [];
  for (let run = 0; run < ROUNDS; run += 1) {
    const began = performance.now();
    const verdict = judge(compiled, call, workspace);
    times.push((performance.now() - began) * 1000);
    if (verdict?.decision !== 'allow') throw new Error(`${name} is not allowed`);
  }
  const later = times.slice(ROUNDS / 10);
  return { case: name, 'µs median': round(median(later)), 'µs p99': round(quantile(later, 0.99)) };
}

/** Rules that do not fit, half of which deny, and one that does at the end. */
function behind(last: PolicyRule, other: (at: number) => string): PolicyRule[] {
  const others = Array.from({ length: RULES - 1 }, (_, at): PolicyRule => ({
    tool: last.tool,
    match: other(at),
    decision: at % 2 === 0 ? 'deny' : 'ask',
  }));
  return [...others, last];
}

const commands = (): PolicyRule[] =>
  behind(
    { tool: 'execute', match: 'git status *', decision: 'allow' },
    (at) => `tool${String(at)} * --x${String(at)}`,
  );
const files = (): PolicyRule[] =>
  behind({ tool: 'edit', match: 'src/**/*.ts', decision: 'allow' }, (at) => `**/other${String(at)}/*.md`);
const hosts = (): PolicyRule[] =>
  behind({ tool: 'fetch', match: '*.example.com', decision: 'allow' }, (at) => `*.host${String(at)}.org`);

const command = (text: string): Call => ({ name: 'Bash', kind: 'execute', input: { command: text } });
const edit = (path: string): Call => ({ name: 'Edit', kind: 'edit', input: { file_path: path } });
const fetched = (url: string): Call => ({ name: 'WebFetch', kind: 'fetch', input: { url } });
