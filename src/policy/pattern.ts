/** What a rule's `match` means for a command, a path, a host. Pure. */
import { isAbsolute, matchesGlob, resolve, sep } from 'node:path';
import type { SimpleCommand } from './command.ts';

/**
 * Words of a command: `*` inside a word stands for any characters, a last word `*` for any words, none included.
 * A command that runs what its arguments say is covered by its exact words only.
 */
export function commandPattern(match: string): (command: SimpleCommand) => boolean {
  const words = match.trim().split(/\s+/);
  const open = words.at(-1) === '*';
  const fixed = (open ? words.slice(0, -1) : words).map(wordPattern);
  const wild = match.includes('*');
  return (command) => {
    if (wild && runsOthers(command)) return false;
    if (open ? command.length < fixed.length : command.length !== fixed.length) return false;
    return fixed.every((matches, at) => matches(command[at] ?? ''));
  };
}

function wordPattern(word: string): (given: string) => boolean {
  if (!word.includes('*')) return (given) => given === word;
  const source = word.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  const pattern = new RegExp(`^${source.join('[^]*')}$`);
  return (given) => pattern.test(given);
}

/** Programs whose arguments are programs, or scripts in one. */
const RUNNERS: ReadonlySet<string> = new Set(
  (
    'bash sh zsh dash ksh fish eval exec source . env sudo doas su xargs parallel nohup time timeout nice ionice setsid stdbuf ' +
    'command builtin ssh chroot unshare watch script strace python python3 node deno bun perl ruby php lua awk gawk sed'
  ).split(' '),
);
const RUNNING_FLAGS: Readonly<Record<string, RegExp>> = {
  find: /^-(?:exec|execdir|ok|okdir|delete|fprint|fprintf|fls|fprint0)$/,
  git: /^(?:-c|--config-env|--exec-path|--upload-pack|--receive-pack|--ext-diff|--textconv|--output|-O)(?:=|$)|^-c./,
  tar: /^--(?:to-command|checkpoint-action|use-compress-program|rsh-command)|^-I$/,
  rg: /^--pre(?:=|$)/,
};

function runsOthers(command: SimpleCommand): boolean {
  const name = command[0].slice(command[0].lastIndexOf('/') + 1);
  const flags = RUNNING_FLAGS[name];
  return RUNNERS.has(name) || (flags !== undefined && command.slice(1).some((word) => flags.test(word)));
}

/** `inside`, `outside` (of the workspace), or a glob: relative ones are of the workspace. Paths are resolved, links followed. */
export function pathPattern(match: string): (path: string, workspace: string) => boolean {
  if (match === 'inside') return isInside;
  if (match === 'outside') return (path, workspace) => !isInside(path, workspace);
  return (path, workspace) => matchesGlob(path, isAbsolute(match) ? match : resolve(workspace, match));
}

function isInside(path: string, workspace: string): boolean {
  return path === workspace || path.startsWith(workspace.endsWith(sep) ? workspace : workspace + sep);
}

/** A host name: `*` stands for any characters. */
export function hostPattern(match: string): (host: string) => boolean {
  return wordPattern(match.toLowerCase());
}

/** A kind, a name, a name with `*`, or `*`. */
export function toolPattern(
  tool: string,
): (call: { readonly name: string; readonly kind: string }) => boolean {
  const named = wordPattern(tool);
  return ({ name, kind }) => tool === kind || named(name);
}
