/**
 * Every secret that this process knows of now, by who brought it: for what belongs to no one session (the log, traces, answers to requests).
 * Compiled when it is first needed after a change.
 */
import { redactionOf, type Redaction } from './redaction.ts';

export class KnownSecrets {
  readonly #byOwner = new Map<string, readonly string[]>();
  #compiled: { readonly redaction: Redaction | undefined } | undefined;

  /** In place of what this owner brought before. */
  know(owner: string, secrets: readonly string[]): void {
    const before = this.#byOwner.get(owner);
    if (before === undefined ? secrets.length === 0 : same(before, secrets)) return;
    this.#byOwner.set(owner, secrets);
    this.#compiled = undefined;
  }

  forget(owner: string): void {
    if (this.#byOwner.delete(owner)) this.#compiled = undefined;
  }

  get redaction(): Redaction | undefined {
    this.#compiled ??= { redaction: redactionOf([...this.#byOwner.values()].flat()) };
    return this.#compiled.redaction;
  }

  mask(text: string): string {
    return this.redaction?.mask(text) ?? text;
  }
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((secret, index) => secret === other[index]);
}
