/**
 * The words of this folder: a call to be judged, what is to be judged of it, and what came of it.
 */
import type { PolicyRule, ToolKind } from '../protocol/index.ts';

/** A call of a tool, as the agent announced it. */
export interface Call {
  /** The agent's own name of the tool: `Bash`, `apply_patch`, `mcp__github__create_issue`. */
  readonly name: string;
  readonly kind: ToolKind;
  /** The agent's own JSON. Nothing is believed of it. */
  readonly input: unknown;
}

/**
 * What may be asked of the disk, as `realpathSync.native` and `lstatSync` of node:fs do it: a path that is not there throws an error with the code
 * `ENOENT`. Every other error means that the path cannot be judged.
 */
export interface Files {
  realpath(path: string): string;
  lstat(path: string): unknown;
}

/** Where the agent works: what is inside, and where relative paths begin. */
export interface Workspace {
  readonly cwd: string;
  readonly files: Files;
}

export interface Verdict {
  readonly decision: PolicyRule['decision'];
  /** The rule in words. */
  readonly rule: string;
}

/** Whether a pattern fits: `maybe` where only running it would tell. */
export type Fit = 'yes' | 'no' | 'maybe';

/** A word of a command. `fixed`: it is this text, whatever the shell, its variables and the disk say. */
export interface CommandWord {
  readonly text: string;
  readonly fixed: boolean;
}

/** One program with its arguments. */
export interface CommandTarget {
  readonly kind: 'command';
  readonly words: readonly CommandWord[];
  /** Found by guessing where a command may begin: good enough to ask, not to deny. */
  readonly guess: boolean;
  /** Its words may say what else is run: a rule with a wildcard does not allow it. */
  readonly runs: boolean;
}

export interface PlacedPath {
  readonly path: string;
  /** Below the workspace's root; undefined outside. */
  readonly inside: readonly string[] | undefined;
  readonly segments: readonly string[];
  /** Outside, and the workspace is below it. */
  readonly above: boolean;
}

/** One file, or with `tree` everything below a folder. */
export interface PathTarget {
  readonly kind: 'path';
  /** Links followed. */
  readonly real: PlacedPath;
  /** As it was written. */
  readonly named: PlacedPath;
  readonly tree: boolean;
  readonly written: boolean;
}

export interface HostTarget {
  readonly kind: 'host';
  readonly host: string;
  readonly port: string;
}

/** What no `match` speaks of: a web search has no host. */
interface NoTarget {
  readonly kind: 'none';
}

export type Target = CommandTarget | PathTarget | HostTarget | NoTarget;

/** What a call comes down to. */
export interface Subject {
  /** Each must be covered. */
  readonly targets: readonly Target[];
  /** What runs inside them, where no rule can allow it: looked at for what must be denied or asked. */
  readonly hidden: readonly Target[];
  /** No rule with a `match` can allow it. */
  readonly limit: boolean;
  /** A rule that denies or asks may be meant without being seen to fit. */
  readonly opaque: boolean;
}
