/** What the CLI uses of the daemon besides its entry. */
export { homeOf, processEnvironment, readConfig, type Config } from './config.ts';
