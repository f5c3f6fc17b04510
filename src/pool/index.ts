/** The pool's policy: limits, leases, verdicts. */
export * from './back-off.ts';
export * from './decide.ts';
export * from './lease.ts';
export * from './limits.ts';
export * from './spares.ts';
