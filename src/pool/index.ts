/** The pool's policy: limits, leases, verdicts. */
export * from './decide.ts';
export * from './lease.ts';
export * from './limits.ts';
export * from './spares.ts';
