/** What a session that needs a process is to the policy. */
import type { Asking, PoolLimits } from '../pool/index.ts';
import { degradedAt } from '../session/degrade.ts';
import type { SessionSpec } from '../session/ports.ts';
import type { SessionState } from '../session/state.ts';

export class Askers {
  readonly #limits: Pick<PoolLimits, 'sessionsPerProcess'>;
  readonly #domainOf: (spec: SessionSpec) => string | undefined;

  constructor(
    limits: Pick<PoolLimits, 'sessionsPerProcess'>,
    domainOf: (spec: SessionSpec) => string | undefined,
  ) {
    this.#limits = limits;
    this.#domainOf = domainOf;
  }

  /** With what it went through. `now`: ms since 1970. */
  of(state: SessionState, now: number): Asking {
    const degraded = degradedAt(state, now);
    const reason = degraded === undefined ? undefined : `its warm process failed: ${degraded.reason}`;
    return { ...this.byItself(state.spec), degraded: reason };
  }

  byItself(spec: SessionSpec): Asking {
    const { model } = spec;
    return { domain: this.domainOf(spec), ...(model === undefined ? {} : { model }) };
  }

  /** See RuntimeFactory.domainOf. Undefined too where each has a process. */
  domainOf(spec: SessionSpec): string | undefined {
    return this.#limits.sessionsPerProcess > 1 ? this.#domainOf(spec) : undefined;
  }
}
