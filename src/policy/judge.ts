/**
 * What rules say of a call of a tool. Pure but for the port that resolves paths.
 * A denial that covers anything of the call wins. Otherwise every part of it (each simple command, each file) needs a rule, the first that covers it; what
 * no rule covers, or cannot be understood, is left to a person.
 */
import { PilotlightError, type PolicyRule, type ToolKind } from '../protocol/index.ts';
import { simpleCommands, type SimpleCommand } from './command.ts';
import { commandPattern, hostPattern, pathPattern, toolPattern } from './pattern.ts';

export interface Call {
  readonly name: string;
  readonly kind: ToolKind;
  readonly input: unknown;
}

export interface Verdict {
  readonly decision: PolicyRule['decision'];
  /** The rule in words. */
  readonly rule: string;
}

export interface Workspace {
  readonly cwd: string;
  /** The real path: links followed, as far as it exists. */
  readonly resolve: (path: string) => string;
}

/** One part of a call: what a rule can cover. `whole`: all that can be said is that the tool is used. */
type Part =
  | { readonly kind: 'command'; readonly command: SimpleCommand }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'host'; readonly host: string }
  | { readonly kind: 'whole' };

interface CompiledRule {
  readonly rule: PolicyRule;
  readonly words: string;
  readonly isAbout: ReturnType<typeof toolPattern>;
  readonly covers: (part: Part, workspace: Workspace) => boolean;
}

export type Policy = readonly CompiledRule[];

/** Throws `bad_request` naming the rule that can never mean anything. */
export function compilePolicy(rules: readonly PolicyRule[], origin = 'permissionPolicy'): Policy {
  return rules.map((rule, at) => {
    const bad = faultOf(rule);
    if (bad !== undefined)
      throw new PilotlightError('bad_request', `${origin}[${String(at)}]: ${bad}`, {
        fix: 'See docs/policies.md for what a rule may be.',
      });
    const match = rule.match === undefined ? '' : ` ${rule.match}`;
    const words = `${origin}[${String(at)}]: ${rule.decision} ${rule.tool}${match}`;
    return { rule, words, isAbout: toolPattern(rule.tool), covers: coverage(rule.match) };
  });
}

function faultOf({ tool, match }: PolicyRule): string | undefined {
  if (/[\0\n]/.test(tool + (match ?? ''))) return 'it holds a line break or a NUL';
  if (/^\s|\s$/.test(tool)) return `the tool ${JSON.stringify(tool)} begins or ends with a space`;
  if (match !== undefined && /[;&|`<>]|\$\(/.test(match))
    return `match ${JSON.stringify(match)} holds shell syntax: a rule is about one command; write one rule for each`;
  const open = (match ?? '').split('[').length !== (match ?? '').split(']').length;
  return open ? `match ${JSON.stringify(match)} has a bracket without its other half` : undefined;
}

function coverage(match: string | undefined): CompiledRule['covers'] {
  if (match === undefined) return () => true;
  const [command, path, host] = [commandPattern(match), pathPattern(match), hostPattern(match)];
  return (part, workspace) => {
    switch (part.kind) {
      case 'command':
        return command(part.command);
      case 'path':
        return path(part.path, workspace.cwd);
      case 'host':
        return host(part.host);
      case 'whole':
        return false;
    }
  };
}

/** Undefined: the rules say nothing. The session's own rules come before those of the configuration. */
export function judge(policies: readonly Policy[], call: Call, workspace: Workspace): Verdict | undefined {
  const rules = policies.flat().filter((one) => one.isAbout(call));
  if (rules.length === 0) return undefined;
  const parts = partsOf(call, workspace);
  const denial = rules.find(
    ({ rule, covers }) => rule.decision === 'deny' && parts.some((part) => covers(part, workspace)),
  );
  if (denial !== undefined) return { decision: 'deny', rule: denial.words };
  const first = parts.map((part) =>
    rules.find(({ rule, covers }) => rule.decision !== 'deny' && covers(part, workspace)),
  );
  const asking = first.find((one) => one?.rule.decision === 'ask');
  if (asking !== undefined) return { decision: 'ask', rule: asking.words };
  const [one] = first;
  return one !== undefined && first.every((covering) => covering !== undefined)
    ? { decision: 'allow', rule: one.words }
    : undefined;
}

const WHOLE: readonly Part[] = [{ kind: 'whole' }];

function partsOf(call: Call, workspace: Workspace): readonly Part[] {
  switch (call.kind) {
    case 'execute': {
      const commands = commandsOf(call);
      return commands?.map((command) => ({ kind: 'command', command })) ?? WHOLE;
    }
    case 'read':
    case 'edit':
    case 'search': {
      const paths = pathsOf(call.input);
      return paths.length === 0
        ? WHOLE
        : paths.map((path) => ({ kind: 'path', path: workspace.resolve(path) }));
    }
    case 'fetch': {
      const url = URL.parse(textOf(call.input, 'url') ?? '');
      return url === null ? WHOLE : [{ kind: 'host', host: url.hostname.toLowerCase() }];
    }
    case 'mcp':
    case 'think':
    case 'other':
      return WHOLE;
  }
}

/** Codex runs every command through a login shell of its own: what counts is what that shell is given. */
export function commandsOf({ name, input }: Call): readonly SimpleCommand[] | undefined {
  const text = textOf(input, 'command');
  const commands = text === undefined ? undefined : simpleCommands(text);
  const [only] = commands ?? [];
  if (name !== 'shell' || commands?.length !== 1 || only === undefined) return commands;
  const [shell, flag, script] = only;
  const wrapped = /^\/(?:[\w.-]+\/)*(?:bash|sh|zsh)$/.test(shell) && flag === '-lc';
  return wrapped && script !== undefined && only.length === 3 ? simpleCommands(script) : commands;
}

const PATHS = ['file_path', 'notebook_path', 'path'] as const;

function pathsOf(input: unknown): readonly string[] {
  const one = PATHS.flatMap((key) => textOf(input, key) ?? []);
  const many: unknown = typeof input === 'object' && input !== null ? Reflect.get(input, 'paths') : undefined;
  const listed = Array.isArray(many) ? many.filter((path) => typeof path === 'string') : [];
  return [...one, ...listed];
}

function textOf(input: unknown, key: string): string | undefined {
  const value: unknown = typeof input === 'object' && input !== null ? Reflect.get(input, key) : undefined;
  return typeof value === 'string' ? value : undefined;
}
