/** A stand-in for `secret-tool`, to be put on PATH. */

/** Keeps what it is given in a file named after the account; `locked`: as if there were nothing; `forgets`: takes and drops; `hangs`. */
export const SECRET_TOOL = `#!/bin/sh
state="$(dirname "$0")/kept"; mkdir -p "$state"; printf '%s\\n' "$*" >> "$state/argv"
[ -e "$state/hangs" ] && exec sleep 60
for account; do :; done
case "$1" in
  store) value="$(cat)"; [ -e "$state/forgets" ] || printf '%s' "$value" > "$state/$account.key" ;;
  lookup) [ -e "$state/locked" ] && exit 1; [ -e "$state/$account.key" ] || exit 1; cat "$state/$account.key" ;;
  clear) rm -f "$state/$account.key" ;;
esac
`;
