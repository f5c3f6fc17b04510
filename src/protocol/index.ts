/** The vocabulary that every part shares: ids, events, views, requests, errors. Pure and browser-safe. */
export * from './environment.ts';
export * from './errors.ts';
export * from './events.ts';
export * from './ids.ts';
export * from './library.ts';
export * from './mcp.ts';
export * from './requests.ts';
export * from './tokens.ts';
export * from './version.ts';
export * from './views.ts';
export * from './workspaces.ts';
