/** The command line from its sources, as bin/pilotlight.js runs the built one: `node test/support/pilotlight.ts ARGS`. */
import { main } from '../../src/cli/main.ts';

process.exitCode = await main(process.argv.slice(2));
