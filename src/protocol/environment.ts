/**
 * Names of variables that a session may not give its agent: those that make a program load code or run a command before it does anything of its own.
 * A field that looks like data would otherwise be a way around every permission that the agent asks for. Whoever owns the daemon can still pass such a
 * variable on: it is put into the daemon's environment and named in `agents.env`. Pure.
 */

const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/^PILOTLIGHT_/, 'is Pilotlight’s own'],
  [/^(?:LD_|DYLD_|GCONV_PATH$|GLIBC_TUNABLES$|LOCPATH$)/, 'changes what every program loads'],
  [
    /^(?:NODE_(?:OPTIONS|PATH|REPL_EXTERNAL_MODULE|TLS_REJECT_UNAUTHORIZED)$|BUN_(?:OPTIONS|INSPECT\w*)$|DENO_\w+$|[Nn][Pp][Mm]_[Cc][Oo][Nn][Ff][Ii][Gg]_)/,
    'changes what Node and its kin load',
  ],
  [
    /^(?:BASH_ENV|ENV|BASHOPTS|SHELLOPTS|BASH_FUNC_.*|PROMPT_COMMAND|PS4|ZDOTDIR|IFS)$/,
    'runs commands in every shell',
  ],
  [
    /^(?:PYTHON(?:STARTUP|PATH|HOME|INSPECT|WARNINGS|BREAKPOINT)|PERL5?(?:OPT|LIB|DB)|RUBY(?:OPT|LIB)|(?:_JAVA|JAVA_TOOL|JDK_JAVA)_OPTIONS|LUA_INIT\w*|PHPRC|PHP_INI_SCAN_DIR)$/,
    'changes what an interpreter loads',
  ],
  [
    /^(?:GIT_(?:SSH|SSH_COMMAND|ASKPASS|EXTERNAL_DIFF|PAGER|EDITOR|SEQUENCE_EDITOR|PROXY_COMMAND|EXEC_PATH|TEMPLATE_DIR|CONFIG\w*|ALLOW_PROTOCOL)|SSH_ASKPASS|SUDO_ASKPASS|PAGER|MANPAGER|EDITOR|VISUAL|BROWSER|LESSOPEN|LESSCLOSE)$/,
    'is run as a command by other programs',
  ],
];

/** Why this name is refused, or undefined when it is not. */
export function refusedVariable(name: string): string | undefined {
  return REFUSED.find(([pattern]) => pattern.test(name))?.[1];
}
