/**
 * The first time in a repository: says what is left out because nobody has trusted it, and at a terminal asks.
 * Owns the words. Asks only where something is left out.
 */
import { createInterface } from 'node:readline/promises';
import type { ClientSession, PilotlightClient } from '../client/index.ts';
import type { SessionView } from '../protocol/index.ts';
import type { Context } from './context.ts';

/** The session is trusted before its first message, or is not. */
export async function aboutTrust(
  context: Context,
  client: PilotlightClient,
  session: ClientSession,
): Promise<void> {
  const view = await session.view();
  if (!tellTrust(context, view) || context.output.json || !process.stdin.isTTY || !process.stderr.isTTY)
    return;
  const answer = await asked('  Trust it? [y] from now on  [o] this once  [N] no ');
  if (answer === 'y') {
    const { path } = await client.workspaces.trust(view.cwd);
    context.output.note(`  ${path} is trusted; \`pilotlight trust --revoke\` undoes it.`, 'dim');
  }
  if (answer === 'y' || answer === 'o') await session.update({ trust: true });
}

/** Says it, where there is something to say. */
export function tellTrust({ output }: Context, { cwd, agent, trusted, leftOut = [] }: SessionView): boolean {
  if (trusted !== false || leftOut.length === 0) return false;
  const parts = leftOut.map((path) => (path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path));
  output.note(
    `${cwd} is not trusted: ${agent} leaves out ${parts.join(', ')}. \`pilotlight trust ${cwd}\` or --trust takes them up.`,
    'yellow',
  );
  return true;
}

/** The first letter of what is typed; '' where the terminal goes away. */
async function asked(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  try {
    return (await Promise.race([lines.question(question), closed])).trim().slice(0, 1).toLowerCase();
  } finally {
    lines.close();
  }
}
