/** Resident memory of a process tree (R27). Asynchronous, never throws: sampling never delays or fails a turn. */
import { readFile } from 'node:fs/promises';
import { isAlive } from './identity.ts';
import type { ProcessIdentity } from './ports.ts';
import { descendants, snapshot } from './tree.ts';

/** MB of the whole tree (or of the process `alone`); undefined when it cannot be read. */
export async function treeMemory(
  root: ProcessIdentity,
  options: { readonly alone?: boolean } = {},
): Promise<number | undefined> {
  try {
    if (!isAlive(root)) return undefined;
    const members = options.alone === true ? [root] : descendants(snapshot(), [root.pid]);
    const sizes = await Promise.all(members.map((member) => resident(member.pid)));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    return bytes === 0 ? undefined : Math.round(bytes / 1024 / 1024);
  } catch {
    return undefined;
  }
}

async function resident(pid: number): Promise<number> {
  const text = await readFile(`/proc/${String(pid)}/status`, 'latin1').catch(() => '');
  const kb = Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
  return kb * 1024;
}
