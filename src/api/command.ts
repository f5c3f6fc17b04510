/** A request that changes something: read, keyed, done once, answered with its status. */
import type { Answered, Caller, Host } from '../host/index.ts';
import type { z } from 'zod';
import { readBody } from './body.ts';
import { OneAtATime } from '../async/one-at-a-time.ts';
import { idempotencyOf, runName } from './idempotency.ts';
import { json, type Answer } from './answer.ts';
import type { Call } from './route.ts';

export interface CommandPorts {
  readonly mostBodyBytes: number;
}

export interface Command<B, A> {
  readonly route: string;
  readonly session?: string;
  readonly body: z.ZodType<B>;
  readonly status: number;
  readonly act: (host: Host, body: B, caller: Caller) => Promise<Answered<A>>;
}

export class Commands {
  readonly #mostBodyBytes: number;
  readonly #oneAtATime = new OneAtATime();

  constructor(ports: CommandPorts) {
    this.#mostBodyBytes = ports.mostBodyBytes;
  }

  async run<B, A>(call: Call, host: Host, command: Command<B, A>): Promise<Answer> {
    const { request, asker } = call;
    const body = await readBody(call, command.body, this.#mostBodyBytes);
    const idempotency = idempotencyOf(request.headers.get('idempotency-key'), {
      asker: asker.id,
      method: request.method,
      route: command.route,
      session: command.session,
      body: body.json,
    });
    const caller: Caller = {
      by: { kind: 'client', name: asker.name },
      ...(idempotency === undefined ? {} : { idempotency }),
    };
    const act = (): ReturnType<typeof command.act> => command.act(host, body.value, caller);
    const { value, replayed } = await (idempotency === undefined
      ? act()
      : this.#oneAtATime.run(runName(idempotency), act));
    return json(value, command.status, replayed ? { 'idempotency-replayed': 'true' } : {});
  }
}
