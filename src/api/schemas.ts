/** Every shape that the API's description names, as JSON Schema 2020-12 (the dialect of OpenAPI 3.1). */
import { z } from 'zod';
import {
  AgentView,
  AnswerPermission,
  CollectedView,
  CreateSession,
  CreateToken,
  ERROR_TABLE,
  EVENT_DATA,
  InterruptTurn,
  NewToken,
  PermissionView,
  SendTurn,
  SessionView,
  StatusView,
  TokenView,
  TrustWorkspace,
  TurnView,
  UpdateSession,
  WorkspaceView,
} from '../protocol/index.ts';
import { StopDaemon } from './bodies.ts';

type JsonSchema = Record<string, unknown>;

const Gap = z.object({
  from: z.number().int(),
  to: z.number().int(),
  reason: z.string(),
  session: z.string().optional(),
});

/** Name → schema. Views may gain fields: nothing is said about additional ones. Requests may not: they refuse them. */
export function namedSchemas(): Readonly<Record<string, JsonSchema>> {
  return {
    Session: schemaOf(SessionView),
    SessionList: listOf('Session'),
    Turn: schemaOf(TurnView),
    TurnList: listOf('Turn'),
    Agent: schemaOf(AgentView),
    AgentList: listOf('Agent'),
    Permission: schemaOf(PermissionView),
    PermissionList: listOf('Permission'),
    AnswerPermission: schemaOf(AnswerPermission),
    Status: schemaOf(StatusView),
    Health: schemaOf(z.object({ status: z.literal('ok'), version: z.string() })),
    Token: schemaOf(TokenView),
    NewToken: schemaOf(NewToken),
    TokenList: listOf('Token'),
    CreateToken: schemaOf(CreateToken),
    Workspace: schemaOf(WorkspaceView),
    WorkspaceList: listOf('Workspace'),
    TrustWorkspace: schemaOf(TrustWorkspace),
    Empty: schemaOf(z.object({})),
    Collected: schemaOf(CollectedView),
    Text: { type: 'string' },
    CreateSession: schemaOf(CreateSession),
    UpdateSession: schemaOf(UpdateSession),
    SendTurn: schemaOf(SendTurn),
    InterruptTurn: schemaOf(InterruptTurn),
    StopDaemon: schemaOf(StopDaemon),
    Event: { anyOf: Object.entries(EVENT_DATA).map(([type, data]) => eventSchema(type, data)) },
    EventPage: {
      type: 'object',
      properties: {
        events: { type: 'array', items: ref('Event') },
        next: { type: 'integer', description: 'The `after` of the next page; absent at the end.' },
        through: {
          type: 'integer',
          description: 'How far this page reaches: the `after` for what comes later, also at the end.',
        },
        gaps: { type: 'array', items: schemaOf(Gap), description: 'What retention removed.' },
      },
      required: ['events', 'through', 'gaps'],
    },
    Problem: {
      description: 'RFC 9457, with facts of the error beside its own fields.',
      ...schemaOf(
        z.looseObject({
          type: z.string(),
          title: z.string(),
          status: z.number().int(),
          detail: z.string(),
          code: z.enum(Object.keys(ERROR_TABLE)),
          fix: z.string(),
        }),
      ),
    },
  };
}

export function ref(name: string): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

function listOf(name: string | undefined): JsonSchema {
  return {
    type: 'object',
    properties: {
      items: { type: 'array', items: name === undefined ? {} : ref(name) },
      next: { type: 'string', description: 'Pass as `after` for the next page; absent at the end.' },
    },
    required: ['items'],
  };
}

function eventSchema(type: string, data: z.ZodType): JsonSchema {
  const envelope = z.object({
    session: z.string(),
    seq: z.number().int().positive(),
    turn: z.string().optional(),
    time: z.iso.datetime(),
    type: z.literal(type),
    data,
  });
  return { title: type, ...schemaOf(envelope) };
}

function schemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}
