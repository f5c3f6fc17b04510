/**
 * The rules' word on what an agent asks: what is closed to all, read-only, then the session's rules and the configuration's, then what the mode means.
 * The only place that gives the policy a file system.
 */
import { lstatSync, realpathSync } from 'node:fs';
import {
  compilePolicy,
  judge,
  mayChange,
  readPolicy,
  type Call,
  type Files,
  type Policy,
} from '../policy/index.ts';
import type { PolicyRule, TurnInput } from '../protocol/index.ts';
import type { closedTo } from './closed.ts';
import type { DecideContext } from '../session/inputs.ts';
import type { ReadOnly, SessionSpec } from '../session/ports.ts';
import { isReadOnly } from '../session/tuning.ts';

const FILES: Files = { realpath: realpathSync.native, lstat: lstatSync };

/** Throws `bad_request` for a rule of the configuration that can never mean anything. */
export function judgeOf(
  configured: readonly PolicyRule[],
  closed?: ReturnType<typeof closedTo>,
): DecideContext['judge'] {
  const ours = compilePolicy(configured, 'permissions.rules');
  const compiled = new WeakMap<readonly PolicyRule[], Policy>();
  const policyOf = (rules: readonly PolicyRule[]): Policy => {
    const known = compiled.get(rules) ?? readPolicy(rules);
    compiled.set(rules, known);
    return known;
  };
  return ({ spec }, ask) => {
    const { tool } = ask;
    if (tool === undefined) return undefined;
    const workspace = { cwd: spec.cwd, files: FILES };
    const shut = closed?.(tool, workspace);
    if (shut !== undefined)
      return {
        ...shut,
        message: 'The home of Pilotlight is closed to agents: it holds its token and secrets',
      };
    if (isReadOnly(spec) && mayChange(tool))
      return { decision: 'deny', rule: 'read-only session', message: denialOf(spec.readOnly) };
    const rules = [policyOf(spec.permissionPolicy ?? []), ours];
    const verdict = judge(rules, tool, workspace);
    if (verdict === undefined) return byMode(spec, tool, ask.check === true);
    const { rule, decision } = verdict;
    if (decision === 'deny') return { decision, rule, message: `A rule denies this (${rule})` };
    return decision === 'ask' ? { decision, rule, message: `A rule asks (${rule})` } : { decision, rule };
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
