/** The ways in which a command may spell a path that is closed to agents. */
import { relative } from 'node:path';

/** `path` is absolute; `userHome`: what `~` is for the agents. */
export function spellingsOf(path: string, userHome: string | undefined): string[] {
  const below = userHome === undefined ? '..' : relative(userHome, path);
  if (below === '' || below.startsWith('..')) return [path];
  return [path, `~/${below}`, `$HOME/${below}`, `\${HOME}/${below}`];
}
