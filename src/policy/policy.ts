/**
 * Rules, compiled once for as long as they hold. Pure.
 */
import { PilotlightError, type PolicyRule } from '../protocol/index.ts';
import { fitsPattern, kindNamed, readPattern, type Pattern } from './patterns.ts';
import type { Call, Fit, Target } from './types.ts';
import { fitsText, wild, type Wild } from './wildcard.ts';

export interface CompiledRule {
  readonly decision: PolicyRule['decision'];
  /** Where it stands and what it says. */
  readonly words: string;
  readonly kind: string | undefined;
  readonly tool: Wild;
  readonly pattern: Pattern | undefined;
}

export type Policy = readonly CompiledRule[];

/** Throws `bad_request` naming the rule that could not be meant, and what to write instead. */
export function compilePolicy(rules: readonly PolicyRule[], origin = 'permissionPolicy'): Policy {
  return rules.map((rule, at) => {
    const compiled = compileRule(rule, `${origin}[${String(at)}]`);
    if (!('problem' in compiled)) return compiled;
    throw new PilotlightError('bad_request', compiled.problem, {
      fix: 'See docs/policies.md for what a rule may be.',
    });
  });
}

/**
 * Rules that were accepted once. One that this version does not understand may have been meant to deny whatever is asked: with it all is asked about,
 * unless another denies it.
 */
export function readPolicy(rules: readonly PolicyRule[], origin = 'permissionPolicy'): Policy {
  const compiled = rules.map((rule, at) => compileRule(rule, `${origin}[${String(at)}]`));
  const strange = compiled.flatMap((one): CompiledRule[] => ('problem' in one ? [askAll(one.problem)] : []));
  return [...strange, ...compiled.flatMap((one) => ('problem' in one ? [] : [one]))];
}

function askAll(problem: string): CompiledRule {
  const words = `${problem}; this version does not understand the rule`;
  return { decision: 'ask', words, kind: undefined, tool: wild('*'), pattern: undefined };
}

function compileRule(rule: PolicyRule, place: string): CompiledRule | { readonly problem: string } {
  const { tool, match, decision } = rule;
  const read = faultOf(rule) ?? (match === undefined ? undefined : readPattern(tool, match));
  if (read !== undefined && 'problem' in read) return { problem: `${place}: ${read.problem}` };
  const words = `${place}: ${decision} ${tool}${match === undefined ? '' : ` ${match}`}`;
  return { decision, words, kind: kindNamed(tool), tool: wild(tool), pattern: read };
}

function faultOf({ tool, match = '' }: PolicyRule): { readonly problem: string } | undefined {
  if (!/^[\w.:@/*-]+$/.test(tool))
    return {
      problem:
        '`tool` is a kind (read, edit, execute …), the name of a tool, with * for any characters, or *',
    };
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(match))
    return { problem: '`match` holds a line break or a control character' };
  if (/^\s|\s$/.test(match)) return { problem: '`match` begins or ends with a space' };
  if (/[;&|`<>]|\$\(/.test(match))
    return { problem: '`match` holds shell syntax: a rule is about one command; write one rule for each' };
  return undefined;
}

/** A search shows what is in files, so what denies reading or asks about it is about searching too. */
export function isAbout({ kind, tool, decision }: CompiledRule, call: Call): boolean {
  if (kind === undefined) return fitsText(tool, call.name);
  return kind === call.kind || (kind === 'read' && call.kind === 'search' && decision !== 'allow');
}

/** Whether a rule that is about this call is about this part of it. */
export function fits({ pattern, decision }: CompiledRule, target: Target): Fit {
  return pattern === undefined ? 'yes' : fitsPattern(pattern, target, decision === 'allow');
}
