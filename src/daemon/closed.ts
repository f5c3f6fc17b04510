/**
 * The home of this daemon is closed to its agents: its token opens the API, its `secrets/` are other sessions'. What of that a call can be seen to want is
 * denied here, whatever the rules and the mode say; what the agents themselves keep out of it stands in `docs/security.md`.
 */
import { spellingsOf } from '../agents/index.ts';
import { compilePolicy, judge, type Call, type Verdict, type Workspace } from '../policy/index.ts';

/** `closed`: absolute paths; `userHome`: what `~` is for the agents. */
export function closedTo(
  closed: readonly string[],
  userHome: string | undefined,
): (call: Call, workspace: Workspace) => Verdict | undefined {
  const rules = closed.flatMap((path) =>
    (['read', 'edit'] as const).flatMap((tool) =>
      [globOf(path), `${globOf(path)}/**`].map((match) => ({ tool, match, decision: 'deny' as const })),
    ),
  );
  const policy = compilePolicy(rules, 'home of Pilotlight');
  const spellings = closed.flatMap((path) => spellingsOf(path, userHome));
  return (call, workspace) => {
    const wanted =
      call.kind === 'execute'
        ? spellings.some((spelling) => commandOf(call).includes(spelling))
        : judge([policy], call, workspace)?.decision === 'deny';
    return wanted ? { decision: 'deny', rule: 'home of Pilotlight' } : undefined;
  };
}

/** A path whose name has a wildcard's letter in it is meant as it stands. */
function globOf(path: string): string {
  return path.replaceAll(/[*?[\]{}\\]/g, '?');
}

function commandOf({ input }: Call): string {
  const command = typeof input === 'object' && input !== null && 'command' in input ? input.command : '';
  return typeof command === 'string' ? command : '';
}
