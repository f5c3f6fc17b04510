/**
 * Every secret that a test makes up has `made-up` in it, and nothing else has: so a whole run can be searched for all of them. Each home is when it goes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { marked } from './processes.ts';

const MARK = 'made-up';

/** As it stands, and as the middle of a longer text stands in base64, at each of its three places in a group. */
export const MADE_UP: readonly string[] = [
  MARK,
  ...[0, 1, 2].map((before) =>
    Buffer.from('-'.repeat(before) + MARK)
      .toString('base64')
      .slice(before === 0 ? 0 : before + 1, Math.floor(((before + MARK.length) * 8) / 6)),
  ),
];

/** What of it stands in this text; undefined: nothing. */
export function madeUpIn(text: string): string | undefined {
  for (const form of MADE_UP) {
    const at = text.indexOf(form);
    if (at !== -1) return text.slice(Math.max(0, at - 120), at + 60);
  }
  return undefined;
}

/** Where a home holds some that may not: everywhere but in `secrets/`, where they belong, and in what the test itself wrote there. */
export function madeUpBelow(home: string, written: readonly string[] = ['config.toml']): readonly string[] {
  const own = new Set(written);
  return readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !relative(home, file).startsWith('secrets/') && !own.has(relative(home, file)))
    .flatMap((file) => {
      const found = madeUpIn(readFileSync(file, 'latin1'));
      return found === undefined ? [] : [`${file}: ${found}`];
    });
}

/** Argv of every process of this home, and the environment of its daemons and keepers unless they were started with some. */
export function madeUpInProcesses(root: string, env: Readonly<Record<string, string>>): readonly string[] {
  const given = madeUpIn(JSON.stringify(env)) !== undefined;
  return marked(root).flatMap(({ pid, command }) => {
    const ours = !given && /(?:daemon|keeper)\/main/.test(command);
    const found = madeUpIn(command) ?? (ours ? madeUpIn(environOf(pid)) : undefined);
    return found === undefined ? [] : [`process ${String(pid)} (${command}): ${found}`];
  });
}

function environOf(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/environ`, 'utf8');
  } catch {
    // It ended meanwhile.
    return '';
  }
}
