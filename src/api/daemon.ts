/** The routes about the daemon itself. Stopping and collecting exist where their means were handed in. */
import type { CollectedView } from '../protocol/index.ts';
import { NoBody, StopDaemon } from './bodies.ts';
import { readBody } from './body.ts';
import { json } from './answer.ts';
import type { Route } from './route.ts';

/** What Prometheus asks for. */
export interface MetricsPort {
  readonly contentType: string;
  text(): Promise<string>;
}

export interface DaemonPorts {
  readonly version: string;
  readonly mostBodyBytes: number;
  readonly stop: ((wish: { readonly now: boolean }) => Promise<void>) | undefined;
  readonly gc: (() => Promise<CollectedView>) | undefined;
  readonly metrics: MetricsPort | undefined;
}

export function daemonRoutes(ports: DaemonPorts): readonly Route[] {
  return [health(ports), status(), agents(), ...stop(ports), ...gc(ports), ...metrics(ports), root(ports)];
}

function health({ version }: DaemonPorts): Route {
  return {
    method: 'get',
    path: '/v1/health',
    needs: 'nothing',
    open: true,
    doc: { summary: 'Answers without a token', answer: { status: 200, schema: 'Health' }, errors: [] },
    handle: () => json({ status: 'ok', version }),
  };
}

function status(): Route {
  return {
    method: 'get',
    path: '/v1/status',
    needs: 'host',
    doc: { summary: 'Daemon, pool, counts, journal', answer: { status: 200, schema: 'Status' }, errors: [] },
    handle: async (_call, host) => json(await host.status()),
  };
}

function agents(): Route {
  return {
    method: 'get',
    path: '/v1/agents',
    needs: 'host',
    doc: { summary: 'The agents that were found', answer: { status: 200, schema: 'AgentList' }, errors: [] },
    handle: async (_call, host) => json({ items: await host.agents() }),
  };
}

function stop({ stop, mostBodyBytes }: DaemonPorts): readonly Route[] {
  if (stop === undefined) return [];
  return [
    {
      method: 'post',
      path: '/v1/daemon/stop',
      needs: 'nothing',
      doc: {
        summary: 'Stop the daemon and every agent; answers when running turns have ended',
        body: 'StopDaemon',
        bodyOptional: true,
        answer: { status: 202, schema: 'Empty' },
        errors: [],
      },
      handle: async (call) => {
        const { value } = await readBody(call, StopDaemon, mostBodyBytes);
        await stop({ now: value.now === true });
        return json({}, 202);
      },
    },
  ];
}

function gc({ gc, mostBodyBytes }: DaemonPorts): readonly Route[] {
  if (gc === undefined) return [];
  return [
    {
      method: 'post',
      path: '/v1/daemon/gc',
      needs: 'nothing',
      doc: {
        summary: 'Remove now what retention would remove; says what it was',
        bodyOptional: true,
        answer: { status: 200, schema: 'Collected' },
        errors: [],
      },
      handle: async (call) => {
        await readBody(call, NoBody, mostBodyBytes);
        return json(await gc());
      },
    },
  ];
}

function metrics({ metrics }: DaemonPorts): readonly Route[] {
  if (metrics === undefined) return [];
  return [
    {
      method: 'get',
      path: '/metrics',
      needs: 'host',
      doc: { summary: 'For Prometheus', answer: { status: 200, schema: 'Text' }, errors: [] },
      handle: async () => ({
        status: 200,
        headers: { 'content-type': metrics.contentType },
        body: await metrics.text(),
      }),
    },
  ];
}

function root({ version }: DaemonPorts): Route {
  return {
    method: 'get',
    path: '/',
    needs: 'nothing',
    doc: { summary: 'A line of text', answer: { status: 200, schema: 'Text' }, errors: [] },
    handle: () => ({
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: `Pilotlight ${version}. See /openapi.json.\n`,
    }),
  };
}
