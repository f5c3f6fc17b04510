/**
 * Processes that are none of Pilotlight's business and look as if they were: one with the mark of another home, one whose pid stands in a record
 * of this home under another start time, and one that is just there. Each writes down every signal it gets.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf } from '../../support/processes.ts';
import type { Decoy } from '../oracle/history.ts';
import type { World } from './world.ts';

const SIGNALS = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR2', 'SIGCONT'];
const PROGRAM = `
const { appendFileSync } = require('node:fs');
for (const name of ${JSON.stringify(SIGNALS)}) process.on(name, () => appendFileSync(process.argv[1], name + '\\n'));
process.stdin.resume().on('end', () => process.exit());
process.stdout.write('ready');
`;

export class Decoys implements Disposable {
  readonly #decoys: { readonly what: string; readonly child: ChildProcess; readonly log: string }[] = [];

  static async start(world: World): Promise<Decoys> {
    const decoys = new Decoys();
    await decoys.#add(world, 'a stranger', {});
    await decoys.#add(world, 'an agent of another home', { PILOTLIGHT_RUNTIME: 'home_other/rt_other' });
    const reused = await decoys.#add(world, 'a process with the pid of an agent that is gone', {});
    const folder = join(world.home.path, 'processes');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const record = {
      id: 'rt_before',
      mark: 'home_before/rt_before',
      command: 'claude',
      pid: reused,
      startTime: '1',
    };
    writeFileSync(join(folder, 'rt_before.json'), JSON.stringify(record), { mode: 0o600 });
    return decoys;
  }

  seen(): Decoy[] {
    return this.#decoys.map(({ what, child, log }) => ({
      pid: child.pid ?? 0,
      what,
      alive: child.exitCode === null && child.signalCode === null && identityOf(child.pid ?? 0) !== undefined,
      signals: existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean) : [],
    }));
  }

  [Symbol.dispose](): void {
    for (const { child } of this.#decoys) child.kill('SIGKILL');
  }

  async #add(world: World, what: string, env: Record<string, string>): Promise<number> {
    const log = join(world.aside, `signals-${String(this.#decoys.length)}`);
    const child = spawn(process.execPath, ['-e', PROGRAM, log], {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      // It ends with this process, however that ends.
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    });
    this.#decoys.push({ what, child, log });
    await once(child.stdout, 'data');
    return child.pid ?? 0;
  }
}
