/**
 * Programs whose words say what else is run: `sudo rm x`, `bash -c 'rm x'`, `find . -exec rm {} +`, `git -c core.pager=… log`.
 * A rule with a wildcard does not allow them, so nothing need be understood to allow; to deny, every place is tried where a command may begin. Pure.
 */
import { isFindAction, isRunner, isShell, baseName, runsByFlag } from './programs.ts';
import type { Findings, Script } from './script.ts';
import type { ReadWord } from './words.ts';

type Read = (source: string, within: Findings) => Script;

/** What `xargs` adds from its input. */
const ADDED: ReadWord = { text: '…', fixed: false, sort: 'open' };
/** Places at which a command is looked for behind a runner. */
const MAX_PLACES = 12;
const MAX_WORDS = 200;

/** Whether it does, as far as the lists know; what it runs is added to what was found. */
export function runsOthers(words: readonly ReadWord[], found: Findings, read: Read): boolean {
  const program = words[0]?.text ?? '';
  if (isShell(program)) shell(words, found, read);
  else if (program === 'eval') evaluated(words.slice(1), found, read);
  else if (program === 'trap') evaluated(words.slice(1, 2), found, read);
  else if (baseName(program) === 'find') find(words, found, read);
  else if (isRunner(program)) runner(words, found, read);
  return runsByFlag(
    program,
    words.slice(1).map((word) => word.text),
  );
}

function shell(words: readonly ReadWord[], found: Findings, read: Read): void {
  const flag = words.findIndex((word, at) => at > 0 && /^-[a-zA-Z]*c[a-zA-Z]*$/.test(word.text));
  if (flag > 0) {
    const text = words.slice(flag + 1).find((word) => !word.fixed || !/^[-+]/.test(word.text));
    if (text === undefined || !text.fixed) return found.hides();
    return script(text.text, found, read);
  }
  // Without a file to run, it runs what it reads.
  if (!words.slice(1).some((word) => /^[^-+]/.test(word.text))) found.hides();
}

function evaluated(given: readonly ReadWord[], found: Findings, read: Read): void {
  if (!given.every((word) => word.fixed)) return found.hides();
  script(given.map((word) => word.text).join(' '), found, read);
}

/** The commands of a text are looked at like those around it. */
function script(text: string, found: Findings, read: Read): void {
  const { targets, hidden, opaque } = read(text, found);
  found.hidden.push(...targets, ...hidden);
  if (opaque) found.hides();
}

function find(words: readonly ReadWord[], found: Findings, read: Read): void {
  words.forEach((word, at) => {
    if (!isFindAction(word.text)) return;
    const rest = words.slice(at + 1);
    const end = rest.findIndex((one) => one.text === ';' || one.text === '+');
    place(rest.slice(0, end < 0 ? undefined : end), found, { read, guess: false });
  });
}

/** `sudo -u root rm x`: the first word that is no option is surely looked at, and everything behind it in case it was an option's value. */
function runner(words: readonly ReadWord[], found: Findings, read: Read): void {
  const name = baseName(words[0]?.text ?? '');
  if (words.length > MAX_WORDS) return found.hides();
  const added = name === 'xargs' || name === 'parallel' ? [ADDED] : [];
  let places = 0;
  for (const [at, word] of words.entries()) {
    if (at === 0 || places === MAX_PLACES) continue;
    if (word.fixed && /\s/.test(word.text)) quoted(word.text, found, read);
    if (word.fixed && isOption(word.text)) continue;
    place([...words.slice(at), ...added], found, { read, guess: places > 0 });
    places += 1;
  }
}

/** `su -c 'rm x'`, `ssh host 'rm x'`: a text among the words that may be a script. */
function quoted(text: string, found: Findings, read: Read): void {
  if (text.startsWith('-')) return found.hides();
  const { targets, hidden, opaque } = read(text, found);
  found.hidden.push(...[...targets, ...hidden].map((target) => ({ ...target, guess: true })));
  if (opaque) found.hides();
}

/** Also a variable before `env`'s command, and the number of `timeout` and `nice`. */
function isOption(text: string): boolean {
  return /^-|^\w+=|^\d+(\.\d+)?[smhd]?$/.test(text);
}

interface Placing {
  readonly read: Read;
  readonly guess: boolean;
}

/** A command within a command, with what it runs in turn. */
function place(words: readonly ReadWord[], found: Findings, { read, guess }: Placing): void {
  const program = words[0];
  if (program === undefined) return;
  if (!found.budget.take()) return found.hides();
  if (!program.fixed && !guess) found.hides();
  // Of guesses only scripts are read: guesses behind guesses would grow without end, and what is in them is a guess of this place too.
  const runs = guess && isRunner(program.text) ? true : runsOthers(words, found, read);
  found.hidden.push({ kind: 'command', words, guess, runs });
}
