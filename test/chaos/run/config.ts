/** The configuration of a run: short bounds where the plan has what they are for, long ones where nothing should ever meet them. */
import type { Plan, Profile } from '../plan/plan.ts';

const AGENTS = new URL('../../agents/', import.meta.url).pathname;

const CALM: ReadonlySet<Profile> = new Set(['daemon', 'shutdown', 'disk', 'real']);

export function hasShortBounds({ profile }: Plan): boolean {
  return !CALM.has(profile);
}

export function configFor(plan: Plan, paths = fakes()): string {
  const factor = hasShortBounds(plan) ? 1 : 8;
  return `[runtime]
echoTimeoutMs = ${String(3000 * factor)}
firstTurnTimeoutMs = ${String(4000 * factor)}
startTimeoutMs = ${String(4000 * factor)}
inactivityTimeoutMs = ${String(3000 * factor)}
toolTimeoutMs = ${String(3000 * factor)}
interruptTimeoutMs = ${String(700 * factor)}
stdinTimeoutMs = ${String(2000 * factor)}
requestTimeoutMs = ${String(3000 * factor)}
threadTimeoutMs = ${String(3000 * factor)}
handoverTimeoutMs = ${String(4000 * factor)}
[permissions]
timeoutMs = ${String(1500 * factor)}
[ladder]
termAfterMs = 200
killAfterMs = 200
[wire]
maxLineMb = 2
[pool]
maxWarm = ${String(plan.maxWarm)}
spares = ${plan.maxWarm > 2 ? '2' : '0'}
spareRestMs = 10
sessionsPerProcess = ${plan.maxWarm > 2 ? '2' : '50'}
[agents.claude]
path = "${paths.claude}"
[agents.codex]
path = "${paths.codex}"
`;
}

function fakes(): { readonly claude: string; readonly codex: string } {
  return { claude: `${AGENTS}fake-claude.mjs`, codex: `${AGENTS}fake-codex.mjs` };
}
