/**
 * What rules say of a call of a tool. A denial that fits anything of the call wins, wherever it stands. Otherwise every part of the call (each simple
 * command, each file) needs a rule, the first that fits it; what no rule fits is left to whoever asked. Where only running it would tell whether
 * a denial is meant, a person is asked. Pure but for the port to the disk.
 */
import { fits, isAbout, type CompiledRule, type Policy } from './policy.ts';
import { subjectOf } from './subject.ts';
import type { Call, Subject, Target, Verdict, Workspace } from './types.ts';

/** Undefined: the rules say nothing. The session's own rules come before those of the configuration. */
export function judge(policies: readonly Policy[], call: Call, workspace: Workspace): Verdict | undefined {
  const rules = policies.flatMap((policy) => policy.filter((rule) => isAbout(rule, call)));
  if (rules.length === 0) return undefined;
  const subject = rules.some((rule) => rule.pattern !== undefined) ? subjectOf(call, workspace) : ANYTHING;
  const denial = rules.find((rule) => rule.decision === 'deny' && isMet(rule, subject));
  if (denial !== undefined) return { decision: 'deny', rule: denial.words };
  return weigh(rules, subject);
}

/** Where no rule has a `match`, nothing of the call matters. */
const ANYTHING: Subject = { targets: [{ kind: 'none' }], hidden: [], limit: false, opaque: false };

function isMet(rule: CompiledRule, { targets, hidden }: Subject): boolean {
  if (rule.pattern === undefined) return true;
  return (
    targets.some((part) => fits(rule, part) === 'yes') || hidden.some((part) => fits(rule, part) === 'yes')
  );
}

/** What is said of one part; undefined: nothing. */
interface Said {
  readonly decision: 'allow' | 'ask';
  readonly rule: CompiledRule;
  readonly doubt: boolean;
}

function weigh(rules: readonly CompiledRule[], subject: Subject): Verdict | undefined {
  const said = subject.targets.map((target) => saidOf(rules, target));
  if (subject.limit) said.push(saidOfAll(rules));
  // What runs inside needs no rule of its own: it is a limit in any case, or stands in the words of what is covered exactly.
  const inside = subject.hidden.map((target) => saidOf(rules, target));
  const asking = [...said, ...inside].find((one) => one?.decision === 'ask');
  const doubted = asking ?? (subject.opaque ? doubtOf(rules, said) : undefined);
  if (doubted !== undefined)
    return { decision: 'ask', rule: `${doubted.rule.words}${doubted.doubt ? ' (may be meant)' : ''}` };
  const [first] = said;
  return first !== undefined && said.every((one) => one !== undefined)
    ? { decision: 'allow', rule: first.rule.words }
    : undefined;
}

/** The first rule that fits decides, unless one that denies might. */
function saidOf(rules: readonly CompiledRule[], target: Target): Said | undefined {
  const denial = rules.find((rule) => rule.decision === 'deny' && fits(rule, target) === 'maybe');
  if (denial !== undefined) return { decision: 'ask', rule: denial, doubt: true };
  for (const rule of rules) {
    if (rule.decision === 'deny') continue;
    const fit = fits(rule, target);
    if (rule.decision === 'ask' && fit !== 'no') return { decision: 'ask', rule, doubt: fit === 'maybe' };
    if (rule.decision === 'allow' && fit === 'yes') return { decision: 'allow', rule, doubt: false };
  }
  return undefined;
}

/** Of a call whose parts are not all known: only rules without a `match` speak of it. */
function saidOfAll(rules: readonly CompiledRule[]): Said | undefined {
  const rule = rules.find((one) => one.pattern === undefined && one.decision !== 'deny');
  return rule === undefined || rule.decision === 'deny'
    ? undefined
    : { decision: rule.decision, rule, doubt: false };
}

/**
 * Anything may be run in it, so a denial may be meant, or a rule that asks and stands before what allows it. Exact words that somebody wrote down are
 * no doubt.
 */
function doubtOf(rules: readonly CompiledRule[], said: readonly (Said | undefined)[]): Said | undefined {
  if (said.length > 0 && said.every((one) => one?.rule.pattern !== undefined)) return undefined;
  const allowing = rules.findIndex((rule) => rule.pattern === undefined && rule.decision === 'allow');
  const rule = rules.find(
    ({ decision, pattern }, at) =>
      pattern !== undefined &&
      (decision === 'deny' || (decision === 'ask' && (allowing < 0 || at < allowing))),
  );
  return rule === undefined ? undefined : { decision: 'ask', rule, doubt: true };
}
