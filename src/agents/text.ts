/** Text on its way into or out of an agent: cleaned of what breaks a line, bounded. Knows nothing of agents. Pure. */

/** Lone surrogates and NUL become U+FFFD: either can make a line unreadable, and one bad line ends some agents. */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\uFFFD');
}

/** At most `max` UTF-16 units, the last one an ellipsis where something was cut; never half a character. */
export function bounded(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}
