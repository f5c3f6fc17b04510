/**
 * The rules' word on what an agent asks: read-only first, then the session's rules and the configuration's, then what the mode means.
 * The only place that gives the policy a file system.
 */
import { realpathSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { compilePolicy, judge, mayChange, type Call, type Policy } from '../policy/index.ts';
import type { PolicyRule, TurnInput } from '../protocol/index.ts';
import type { DecideContext } from '../session/inputs.ts';
import type { ReadOnly, SessionSpec } from '../session/ports.ts';

/** Throws `bad_request` for a rule of the configuration that can never mean anything. */
export function judgeOf(configured: readonly PolicyRule[]): DecideContext['judge'] {
  const ours = compilePolicy(configured, 'permissions.rules');
  const compiled = new WeakMap<readonly PolicyRule[], Policy>();
  const policyOf = (rules: readonly PolicyRule[]): Policy => {
    const known = compiled.get(rules) ?? compilePolicy(rules);
    compiled.set(rules, known);
    return known;
  };
  return ({ spec }, ask) => {
    const { tool } = ask;
    if (tool === undefined) return undefined;
    if (isReadOnly(spec) && mayChange(tool))
      return { decision: 'deny', rule: 'read-only session', message: denialOf(spec.readOnly) };
    const workspace = { cwd: real(spec.cwd), resolve: (path: string) => real(resolve(spec.cwd, path)) };
    const verdict = judge([policyOf(spec.permissionPolicy ?? []), ours], tool, workspace);
    if (verdict === undefined) return byMode(spec, tool, ask.check === true);
    const message = `A rule denies this (${verdict.rule})`;
    return verdict.decision === 'deny' ? { ...verdict, message } : verdict;
  };
}

/** Every call of a tool is to be judged, also those that the agent would let pass. */
export function isJudged(spec: SessionSpec, hasRules: boolean): boolean {
  return hasRules || isReadOnly(spec) || (spec.permissionPolicy ?? []).length > 0;
}

/** Said with every message: an agent forgets what stood in front of a long conversation, and some keep the system prompt of their first day. */
export function withReminder(input: TurnInput, readOnly: ReadOnly | undefined): TurnInput {
  if (readOnly === undefined) return input;
  const text = `[${denialOf(readOnly)}. Do not try to change files or to run commands that change anything; look, think and answer.]`;
  return typeof input === 'string' ? `${text}\n\n${input}` : [{ type: 'text', text }, ...input];
}

function isReadOnly({ readOnly, mode }: SessionSpec): boolean {
  return readOnly !== undefined || mode === 'readOnly';
}

function denialOf(readOnly: ReadOnly | undefined): string {
  const why = readOnly?.reason === undefined ? '' : `: ${readOnly.reason}`;
  return `This session is read-only${why}`;
}

/** An agent that has to ask because there are rules asks also what its mode would have let pass. */
function byMode(spec: SessionSpec, tool: Call, check: boolean): ReturnType<DecideContext['judge']> {
  if (check) return undefined;
  if (spec.mode === 'bypass') return { decision: 'allow', rule: 'mode bypass' };
  if (spec.mode === 'acceptEdits' && tool.kind === 'edit')
    return { decision: 'allow', rule: 'mode acceptEdits' };
  return undefined;
}

/** Links followed as far as the path exists: a file that is to be made is where its folder really is. */
function real(path: string): string {
  const missing: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    try {
      return resolve(realpathSync(at), ...missing);
    } catch {
      if (dirname(at) === at) return path;
      missing.unshift(basename(at));
    }
  }
}
