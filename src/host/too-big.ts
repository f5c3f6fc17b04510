/** A process that grows past `pool.killMb` in a turn does not reach the end of it. Owns how often it is looked at. */
import { Rounds } from '../async/rounds.ts';
import type { Place } from './place.ts';
import type { HostedRuntime } from './ports.ts';

const ROUND_MS = 2_000;

export interface TooBigPorts {
  readonly killMb: number;
  readonly places: () => Iterable<Place>;
  readonly runtime: (id: string) => HostedRuntime | undefined;
  readonly report: (error: unknown) => void;
}

/** Looks from now on; stop it by `stop`. */
export function watchForTooBig(ports: TooBigPorts): Pick<Rounds, 'stop'> {
  let stopped = false;
  const look = async (): Promise<void> => {
    const { killMb } = ports;
    for (const { runtime, session } of ports.places()) {
      if (session.state.turn.kind !== 'running') continue;
      const rssMb = await ports.runtime(runtime)?.sample();
      if (rssMb === undefined || rssMb <= killMb || stopped) continue;
      const message = `${session.state.spec.agent} has grown to ${String(rssMb)} MB (pool.killMb is ${String(killMb)})`;
      session.submit({ kind: 'runtime-broken', runtime, code: 'limit_reached', message }).catch(ports.report);
    }
  };
  const rounds = new Rounds(ROUND_MS, () => void look());
  rounds.start();
  return {
    stop: () => {
      stopped = true;
      rounds.stop();
    },
  };
}
