/** Known secrets never leave in text: search, streams, and the one list of what is known. */
export { KnownSecrets } from './known.ts';
export { MASK, redactionOf, type Redaction } from './redaction.ts';
