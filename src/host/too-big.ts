/** A process that grows past `pool.killMb` in a turn does not reach the end of it. Owns how often it is looked at. */
import { Rounds } from '../async/rounds.ts';
import { sessionsOf, type Place } from './place.ts';
import type { HostedProcess, SharedRuntime } from './ports.ts';

const ROUND_MS = 2_000;

export interface TooBigPorts {
  readonly killMb: number;
  readonly places: () => Iterable<Place>;
  readonly runtime: (id: string) => HostedProcess | undefined;
  readonly shared: (id: string) => SharedRuntime | undefined;
  readonly report: (error: unknown) => void;
}

/** Looks from now on; stop it by `stop`. */
export function watchForTooBig(ports: TooBigPorts): Pick<Rounds, 'stop'> {
  let stopped = false;
  const look = async (): Promise<void> => {
    const { killMb } = ports;
    for (const place of ports.places()) {
      const { runtime, domain } = place;
      const session = sessionsOf(place).find(({ state }) => state.turn.kind === 'running');
      if (session === undefined) continue;
      const rssMb = await ports.runtime(runtime)?.sample();
      if (rssMb === undefined || rssMb <= killMb || stopped) continue;
      const message = `${session.state.spec.agent} has grown to ${String(rssMb)} MB (pool.killMb is ${String(killMb)})`;
      if (domain !== undefined) ports.shared(runtime)?.broke('limit_reached', message);
      else
        session
          .submit({ kind: 'runtime-broken', runtime, code: 'limit_reached', message })
          .catch(ports.report);
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
