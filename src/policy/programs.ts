/**
 * Programs that run other programs, and words of the shell that change what later words mean.
 * Owns the lists. A program that is on none of them is judged by its own words alone: no list can know what `make` runs.
 */

/** Run what stands behind them, perhaps after options of their own. */
const RUNNERS = new Set(
  (
    'sudo doas su env xargs nohup nice ionice timeout time stdbuf setsid watch parallel strace ltrace script chroot unshare nsenter ' +
    'systemd-run flock busybox toybox taskset chrt entr exec command builtin coproc noglob nocorrect - ssh runuser pkexec chpst setpriv ' +
    'unbuffer catchsegv valgrind proot fakeroot faketime caffeinate sandbox-exec bwrap firejail arch rlwrap torsocks proxychains'
  ).split(' '),
);

/** Take a script as an argument or from their input. */
const SHELLS = new Set('sh bash dash zsh ksh mksh ash fish csh tcsh rbash pwsh nu elvish xonsh'.split(' '));

/** Take a program of their own language. */
const INTERPRETERS = new Set(
  'python python2 python3 pypy node deno bun tsx perl ruby php lua luajit awk gawk mawk sed osascript tclsh expect rscript'.split(
    ' ',
  ),
);

interface Options {
  /** Any beginning of them counts: many programs take that for the whole. */
  readonly long?: string;
  readonly others?: RegExp;
}

/** Options by which a program runs or writes what its words say. */
const OPTIONS: Readonly<Record<string, Options>> = {
  find: { others: /^-(?:exec|execdir|ok|okdir|delete|fprint|fprintf|fls|fprint0)$/ },
  git: {
    long: '--config-env --exec-path --upload-pack --receive-pack --ext-diff --textconv --output --open-files-in-pager --exec',
    others: /^-[cO]/,
  },
  tar: {
    long: '--to-command --checkpoint-action --use-compress-program --rsh-command --rmt-command --info-script --new-volume-script',
    others: /^-\w*[IF]|^[A-Za-z]*[IF][A-Za-z]*$/,
  },
  rg: { long: '--pre', others: /^--hostname-bin/ },
  sort: { long: '--compress-program --output', others: /^-\w*o/ },
  rsync: { long: '--rsh --rsync-path', others: /^-\w*e/ },
};

function isOneOf({ long = '', others }: Options, word: string): boolean {
  if (others?.test(word) === true) return true;
  const name = word.split('=', 1)[0] ?? '';
  return /^--\w/.test(name) && long.split(' ').some((option) => option.startsWith(name));
}

/** Of `find`: run. */
const FIND_ACTIONS = new Set('-exec -execdir -ok -okdir'.split(' '));

/** Change what the words after them mean, or run a text later. */
const CHANGERS = new Set(
  (
    'export declare typeset local readonly integer float nameref unset read mapfile readarray getopts let set shopt setopt unsetopt emulate ' +
    'hash rehash unalias unfunction autoload zmodload zstyle zle ulimit umask'
  ).split(' '),
);

/** Of those, the ones that hide what is run. */
const HIDERS = new Set(
  'eval source . alias trap enable bind complete compgen fc history functions disable'.split(' '),
);

/** The last part of a program's path, in small letters: some file systems do not tell letters apart. */
export function baseName(program: string): string {
  return program.slice(program.lastIndexOf('/') + 1).toLowerCase();
}

export const isRunner = (program: string): boolean => RUNNERS.has(baseName(program));
export const isShell = (program: string): boolean => SHELLS.has(baseName(program));
export const isHider = (program: string): boolean => HIDERS.has(program);
export const isFindAction = (word: string): boolean => FIND_ACTIONS.has(word);

/** Whether what else is run, or what later words mean, stands in its words. */
export function runsByFlag(program: string, words: readonly string[]): boolean {
  const name = baseName(program);
  if (RUNNERS.has(name) || SHELLS.has(name) || HIDERS.has(program) || CHANGERS.has(program)) return true;
  // With a number at their end: python3.12.
  if (INTERPRETERS.has(name) || INTERPRETERS.has(name.replace(/[\d.]+$/, ''))) return true;
  const options = OPTIONS[name];
  return options !== undefined && words.some((word) => isOneOf(options, word));
}
