/**
 * What a call comes down to: the commands, files or hosts of its input. Owns how the agents' inputs look; whatever is not as expected limits the call
 * to rules without a `match`. Pure; places are asked of the caller's port.
 */
import { readHost } from './hosts.ts';
import { Places } from './places.ts';
import { readScript, type Script } from './script.ts';
import type { PathTarget, Subject, Target, Call, Workspace } from './types.ts';

export function subjectOf(call: Call, workspace: Workspace): Subject {
  const input = isRecord(call.input) ? call.input : {};
  switch (call.kind) {
    case 'execute':
      return commandsOf(call, input, new Places(workspace));
    case 'read':
    case 'edit':
      return filesOf(call, input, new Places(workspace));
    case 'search':
      return searchOf(call, input, new Places(workspace));
    case 'fetch':
      return hostOf(input);
    case 'mcp':
    case 'think':
    case 'other':
      return NOTHING;
  }
}

type Input = Readonly<Record<string, unknown>>;

const NOTHING: Subject = { targets: [{ kind: 'none' }], hidden: [], limit: false, opaque: false };
/** Only a rule without a `match` can allow it, and any that denies may be meant. */
const UNCLEAR: Subject = { targets: [], hidden: [], limit: true, opaque: true };

function commandsOf(call: Call, input: Input, places: Places): Subject {
  if (WITHOUT_COMMAND.has(call.name) && input['command'] === undefined) return NOTHING;
  const script = scriptOf(call);
  return isElsewhere(input, places) ? { ...script, limit: true } : script;
}

/** Claude's tools about commands that run already. */
const WITHOUT_COMMAND: ReadonlySet<string> = new Set(['BashOutput', 'KillShell', 'KillBash']);

/** What a command runs, wherever it does. */
export function scriptOf({ name, input }: Call): Script {
  const command = isRecord(input) ? input['command'] : undefined;
  if (!isRecord(input) || typeof command !== 'string') return { ...UNCLEAR, targets: [], hidden: [] };
  const written = readScript(command);
  const script = (name === 'shell' ? unwrapped(written) : undefined) ?? written;
  // More is asked for than to run it.
  const more = input['dangerouslyDisableSandbox'] === true || (input['network'] ?? null) !== null;
  return more ? { ...script, limit: true } : script;
}

/** Codex hands every command to the user's shell: what counts is the text that this shell is given. */
function unwrapped(script: Script): Script | undefined {
  const [command] = script.targets;
  if (command === undefined || script.targets.length > 1 || command.words.length !== 3) return undefined;
  const [shell, flag, text] = command.words;
  if (shell?.fixed !== true || !USERS_SHELL.test(shell.text)) return undefined;
  if (flag?.fixed !== true || !/^-l?c$/.test(flag.text) || text?.fixed !== true) return undefined;
  return readScript(text.text);
}

/** Not just any program that is called bash. */
const USERS_SHELL =
  /^(?:(?:\/usr(?:\/local)?|\/opt\/homebrew|\/run\/current-system\/sw)?\/bin)\/(?:bash|zsh|sh)$/;

function isElsewhere({ cwd = '.' }: Input, places: Places): boolean {
  return typeof cwd !== 'string' || places.of(cwd)?.real.inside === undefined;
}

function filesOf(call: Call, input: Input, places: Places): Subject {
  // What is granted is a whole folder, for the rest of the session.
  if (input['grantRoot'] !== undefined && input['grantRoot'] !== null) return UNCLEAR;
  const edits = listOf(input['edits']).flatMap(pathsIn);
  const paths = [...pathsIn(input), ...edits, ...listedIn(input['paths']), ...changedIn(input['changes'])];
  if (paths.length === 0) return UNCLEAR;
  return placedAll(paths, { places, tree: false, written: call.kind === 'edit' });
}

function listedIn(paths: unknown): readonly unknown[] {
  return paths === undefined || Array.isArray(paths) ? listOf(paths) : [undefined];
}

/** The values of the names under which the tools take a path; anything but a text is unclear. */
function pathsIn(value: unknown): unknown[] {
  if (!isRecord(value)) return [];
  return ['file_path', 'notebook_path', 'path'].flatMap((key) =>
    value[key] === undefined ? [] : [value[key]],
  );
}

/** Codex: a list of `{path, kind}`, in its older form a record by path. A file that is moved is two. */
function changedIn(changes: unknown): unknown[] {
  if (Array.isArray(changes))
    return changes.flatMap((change: unknown) =>
      isRecord(change) ? [change['path'], ...movedTo(change), ...movedTo(change['kind'])] : [undefined],
    );
  if (!isRecord(changes)) return changes === undefined ? [] : [undefined];
  return Object.entries(changes).flatMap(([path, change]) => [
    path,
    ...movedTo(change),
    ...(isRecord(change) ? Object.values(change).flatMap(movedTo) : []),
  ]);
}

function movedTo(change: unknown): unknown[] {
  if (!isRecord(change)) return [];
  return [change['move_path'], change['movePath']].filter((path) => path !== undefined && path !== null);
}

/** Claude's Glob, Grep and LS look through a folder, the working directory unless they name one. A pattern of Glob may lead elsewhere. */
function searchOf(call: Call, input: Input, places: Places): Subject {
  const { path, pattern } = input;
  if (path === undefined && pattern === undefined) return NOTHING;
  const base = path ?? '.';
  const paths: unknown[] = [base];
  if (call.name === 'Glob') {
    if (typeof pattern !== 'string' || typeof base !== 'string' || pattern.length > MAX_PATTERN)
      return UNCLEAR;
    if (/\.\.|[~\\$]|[{(].*\//s.test(pattern)) return UNCLEAR;
    // The folder in front of what may be anything: there it looks, also when a link leads there.
    const lead = pattern.slice(0, pattern.search(/[^/]*(?:[*?[{(!]|$)/));
    paths[0] = pattern.startsWith('/') ? lead || '/' : `${base}/${lead}`;
  }
  return placedAll(paths, { places, tree: true, written: false });
}

interface Placing {
  readonly places: Places;
  readonly tree: boolean;
  readonly written: boolean;
}

const MAX_PATHS = 1000;
const MAX_PATTERN = 1000;

function placedAll(paths: readonly unknown[], { places, ...how }: Placing): Subject {
  if (paths.length > MAX_PATHS) return UNCLEAR;
  const targets: PathTarget[] = [];
  for (const path of new Set(paths)) {
    const place = typeof path === 'string' ? places.of(path) : undefined;
    if (place === undefined) return { ...UNCLEAR, targets };
    targets.push({ kind: 'path', ...place, ...how });
  }
  return { targets, hidden: [], limit: false, opaque: false };
}

function hostOf(input: Input): Subject {
  const action = input['action'];
  const url = input['url'] ?? (isRecord(action) ? action['url'] : undefined);
  if (url === undefined || url === null) return typeof input['query'] === 'string' ? NOTHING : UNCLEAR;
  const host: Target | undefined = typeof url === 'string' ? readHost(url) : undefined;
  return host === undefined ? UNCLEAR : { targets: [host], hidden: [], limit: false, opaque: false };
}

function isRecord(value: unknown): value is Input {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
