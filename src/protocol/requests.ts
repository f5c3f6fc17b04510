/**
 * What clients may ask: the bodies of the API's requests. Unknown fields are refused by name (strict objects).
 */
import { z } from 'zod';
import { refusedVariable } from './environment.ts';
import { TurnInput, type ContentBlock } from './events.ts';
import { imageFault } from './images.ts';
import { McpServers } from './mcp.ts';
import { SessionMode } from './views.ts';

const Name = z.string().min(1).max(200);
/** Which words there are only the agent knows. One that begins with a dash would be another flag. */
const wordOf = (what: string): z.ZodString =>
  z
    .string()
    .max(200)
    .regex(/^[^-\s\p{Cc}][^\p{Cc}]*$/u, `${what}: no dash in front, no control characters`);
const Model = wordOf('the name of a model');
const Conversation = wordOf('the id of a conversation');
/** Of a credential too: an unknown one is a variable of the agent. */
const ReadOnly = z.strictObject({ reason: z.string().max(2000).exactOptional() });
const EnvName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a variable name: letters, digits, underscore')
  .refine((name) => refusedVariable(name) === undefined, {
    error: ({ input }) =>
      `${String(input)} ${refusedVariable(String(input)) ?? ''} and may not be set by a session`,
  });
const EnvValue = z.string().refine((value) => !value.includes('\0'), 'may have no NUL character');
const Credential = z.union([
  EnvValue,
  z.strictObject({ value: EnvValue, expiresAt: z.iso.datetime().optional() }),
]);
/** They go into a header: a line break that was copied along would make every request fail, at the agent, with words about something else. */
const KEYS = ['anthropicApiKey', 'openaiApiKey', 'githubToken'] as const;
const Credentials = z.record(EnvName, Credential).superRefine((all, context) => {
  for (const name of KEYS) {
    const given = all[name];
    const value = typeof given === 'string' ? given : given?.value;
    if (value === undefined || /^[\x21-\x7e]+$/.test(value)) continue;
    const message =
      value === '' ? 'is empty' : 'has a space, a line break or another character that no key has';
    context.addIssue({ code: 'custom', path: [name], message });
  }
});

/** Ordered; the first rule that says something of a call decides it, but a denial always wins. */
export const PolicyRule = z.strictObject({
  /** `*`, a kind of tool (read, edit, execute, …) or a tool's name. */
  tool: z.string().min(1).max(200),
  /** Of a command: its words, `*` for any; of files: a glob; of fetches: hosts. */
  match: z.string().min(1).max(2000).exactOptional(),
  decision: z.enum(['allow', 'deny', 'ask']),
});
export type PolicyRule = z.infer<typeof PolicyRule>;
const Policy = z.array(PolicyRule).max(1000);

export const CreateSession = z.strictObject({
  agent: z.string().min(1),
  cwd: z.string().min(1),
  model: Model.optional(),
  mode: SessionMode.optional(),
  readOnly: ReadOnly.optional(),
  systemPrompt: z.string().max(100_000).optional(),
  mcpServers: McpServers.optional(),
  env: z.record(EnvName, EnvValue).optional(),
  credentials: Credentials.optional(),
  resume: Conversation.optional(),
  name: Name.optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  permissionPolicy: Policy.optional(),
  /** Whether the agent takes up what the repository brings along. Default: whether the workspace is trusted. */
  trust: z.boolean().optional(),
  domain: z.string().max(200).optional(),
  limits: z
    .strictObject({
      maxCostUsd: z.number().positive().optional(),
      maxTurns: z.number().int().positive().optional(),
    })
    .optional(),
  agentOptions: z.record(z.string(), z.unknown()).optional(),
});
export type CreateSession = z.infer<typeof CreateSession>;

export const UpdateSession = z.strictObject({
  name: Name.optional(),
  model: Model.optional(),
  mode: SessionMode.optional(),
  readOnly: ReadOnly.nullable().optional(),
  credentials: Credentials.optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  permissionPolicy: Policy.optional(),
  trust: z.boolean().optional(),
});
export type UpdateSession = z.infer<typeof UpdateSession>;

const Input = TurnInput.superRefine((input, context) => {
  const empty = typeof input === 'string' ? input === '' : input.every(isEmpty);
  if (empty)
    context.addIssue({ code: 'custom', path: [], message: 'there is no text and no image: say something' });
  if (typeof input === 'string') return;
  for (const [index, block] of input.entries()) {
    const fault = block.type === 'image' ? imageFault(block) : undefined;
    if (fault !== undefined)
      context.addIssue({ code: 'custom', path: [index, 'data'], message: `the image ${fault}` });
  }
});

function isEmpty(block: ContentBlock): boolean {
  return block.type === 'text' && block.text === '';
}

export const SendTurn = z.strictObject({
  input: Input,
  whenBusy: z.enum(['reject', 'queue', 'steer', 'interrupt']).optional(),
  readOnly: ReadOnly.nullable().optional(),
  credentials: Credentials.optional(),
});
export type SendTurn = z.infer<typeof SendTurn>;

/** What a person decides. `input`: the tool's input as edited; `answers`: of a question, by its id. */
export const AnswerPermission = z.strictObject({
  decision: z.enum(['allow', 'allow_for_session', 'deny']),
  message: z.string().max(10_000).exactOptional(),
  input: z.record(z.string(), z.unknown()).exactOptional(),
  answers: z.record(z.string(), z.array(z.string().max(100_000)).max(100)).exactOptional(),
});
export type AnswerPermission = z.infer<typeof AnswerPermission>;

export const InterruptTurn = z.strictObject({ queue: z.enum(['keep', 'clear']).optional() });
export type InterruptTurn = z.infer<typeof InterruptTurn>;
