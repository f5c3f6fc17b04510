/** What a session says of a workspace that nobody has trusted yet. Pure. */
import type { SessionSpec } from './ports.ts';
import type { Fact } from './state.ts';

/** Nothing where nothing is left out. */
export function untrusted({ agent, cwd, trusted, leftOut = [] }: SessionSpec): readonly Fact[] {
  if (trusted === true || leftOut.length === 0) return [];
  const message =
    `${cwd} is not a trusted workspace: ${agent} works without what its repository brings along ` +
    `(${leftOut.join(', ')}). PATCH {"trust": true} trusts it for this session, \`pilotlight trust ${cwd}\` from now on.`;
  return [{ type: 'notice', data: { level: 'info', code: 'workspace_untrusted', message } }];
}
