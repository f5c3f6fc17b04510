/**
 * The `match` of a rule, read for what its tool works on: commands, files or hosts. A rule that could not be meant is refused with what to write
 * instead: one that never fits would be a hole or a wall that nobody sees. Pure.
 */
import { ToolKind } from '../protocol/index.ts';
import { fitsCommand, readCommandPattern, type CommandPattern } from './command-rule.ts';
import { fitsHost, readHostPattern, type HostPattern } from './hosts.ts';
import { fitsPath, readPathPattern, type PathPattern } from './path-rule.ts';
import type { Fit, Target } from './types.ts';

/** A rule for every tool may be about several; one that is about none is refused. */
export interface Pattern {
  readonly command?: CommandPattern;
  readonly path?: PathPattern;
  readonly host?: HostPattern;
}

interface Problem {
  readonly problem: string;
}

const SUBJECT: Readonly<Record<ToolKind, keyof Pattern | undefined>> = {
  execute: 'command',
  read: 'path',
  edit: 'path',
  search: 'path',
  fetch: 'host',
  mcp: undefined,
  think: undefined,
  other: undefined,
};

/** The names that the agents use. */
const NAMED: Readonly<Record<string, ToolKind>> = {
  Bash: 'execute',
  shell: 'execute',
  Read: 'read',
  NotebookRead: 'read',
  Edit: 'edit',
  MultiEdit: 'edit',
  NotebookEdit: 'edit',
  Write: 'edit',
  apply_patch: 'edit',
  Glob: 'search',
  Grep: 'search',
  LS: 'search',
  WebFetch: 'fetch',
};

export function kindNamed(tool: string): ToolKind | undefined {
  return ToolKind.safeParse(tool).data;
}

export function readPattern(tool: string, match: string): Pattern | Problem {
  const kind = kindNamed(tool) ?? NAMED[tool];
  if (kind === undefined && !tool.startsWith('mcp__')) return readAny(match);
  const subject = kind === undefined ? undefined : SUBJECT[kind];
  if (subject === 'command') return named('command', readCommandPattern(match));
  if (subject === 'path') return named('path', readPathPattern(match));
  if (subject === 'host') return named('host', readHostPattern(match));
  const fix =
    kind === 'mcp' || kind === undefined
      ? 'write the tool itself into `tool`: mcp__server__tool or mcp__server__*'
      : 'leave it out';
  return { problem: `\`match\` does not go with ${tool}: ${fix}` };
}

function named(
  subject: keyof Pattern,
  read: CommandPattern | PathPattern | HostPattern | Problem,
): Pattern | Problem {
  return 'problem' in read ? { problem: `\`match\` ${read.problem}` } : { [subject]: read };
}

/** Every tool, or one that is not known: whatever the words can mean. */
function readAny(match: string): Pattern | Problem {
  const [command, path, host] = [readCommandPattern(match), readPathPattern(match), readHostPattern(match)];
  if ('problem' in command && 'problem' in path) return { problem: `\`match\` ${command.problem}` };
  return {
    ...('problem' in command ? {} : { command }),
    ...('problem' in path ? {} : { path }),
    ...('problem' in host ? {} : { host }),
  };
}

/** `strict`: to allow, where only what is certain counts. */
export function fitsPattern({ command, path, host }: Pattern, target: Target, strict: boolean): Fit {
  switch (target.kind) {
    case 'command':
      return command === undefined ? 'no' : fitsCommand(command, target, strict);
    case 'path':
      return path === undefined ? 'no' : fitsPath(path, target, strict);
    case 'host':
      return host === undefined ? 'no' : fitsHost(host, target);
    case 'none':
      return 'no';
  }
}
