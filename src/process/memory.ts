/**
 * Resident memory of a process tree (R27). Asynchronous, never throws, and reads only the tree's own files: sampling never delays or fails a turn.
 */
import { readdir, readFile } from 'node:fs/promises';
import { isAlive } from './identity.ts';
import type { ProcessIdentity } from './ports.ts';

/** Of a tree deeper or wider than this the rest is not counted. */
const MOST = 500;

/** MB of the whole tree (or of the process `alone`); undefined when it cannot be read. */
export async function treeMemory(
  root: ProcessIdentity,
  options: { readonly alone?: boolean } = {},
): Promise<number | undefined> {
  try {
    if (!isAlive(root)) return undefined;
    const members = options.alone === true ? [root.pid] : await tree(root.pid);
    let kb = 0;
    for (const pid of members) kb += await residentKb(pid);
    return kb === 0 ? undefined : Math.round(kb / 1024);
  } catch {
    return undefined;
  }
}

async function tree(root: number): Promise<number[]> {
  const found = [root];
  for (let at = 0; at < found.length && found.length < MOST; at += 1)
    found.push(...(await childrenOf(found[at] ?? 0)));
  return found;
}

async function childrenOf(pid: number): Promise<number[]> {
  const tasks = await readdir(`/proc/${String(pid)}/task`).catch((): string[] => []);
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/${String(pid)}/task/${task}/children`, 'latin1').catch(() => '')),
  );
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}

async function residentKb(pid: number): Promise<number> {
  const text = await readFile(`/proc/${String(pid)}/status`, 'latin1').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
}
