/**
 * Requests between Claude and its host. Every one of Claude's is answered, the unknown ones with an error at once: an unanswered one
 * blocks the turn. Owns which a person decides, and the shape of each answer. Knows nothing of who decides. Pure.
 */
import { z } from 'zod';
import { uuidOf } from '../../protocol/index.ts';
import type { AgentAsk, AskAnswer } from '../../session/ports.ts';
import type { Json } from '../dialect.ts';
import { bounded } from '../text.ts';
import { isRecord, listOf, parseLine, recordOf, stringOf, type Line } from './messages.ts';
import { isInterruptId } from './render.ts';
import { settingsResponse } from './settings.ts';
import { BOUNDS, change, write, type OpenAsk, type Work } from './state.ts';
import { kindOf, refuseTool } from './tools.ts';
import { atWork } from './turn.ts';

export function translateRequest(work: Work, line: Line): void {
  const to = stringOf(line['request_id']) ?? '';
  const request = recordOf(line['request']);
  switch (request['subtype']) {
    case 'can_use_tool':
      return toolAsked(work, to, request);
    case 'hook_callback':
      return hookCalled(work, to, request);
    default:
      return refuse(work, to, stringOf(request['subtype']) ?? 'something');
  }
}

/** A decision of the session. One that comes too late (withdrawn, answered) is dropped: Claude has gone on. */
export function answerAsk(work: Work, request: string, given: AskAnswer): void {
  const open = work.state.asks.find((ask) => ask.request === request);
  if (open === undefined) return;
  change(work, { asks: work.state.asks.filter((ask) => ask !== open) });
  decide(work, open, given);
}

/** Claude takes a request back: an interrupt came, or another answer. */
export function requestWithdrawn(work: Work, line: Line): void {
  const request = stringOf(line['request_id']) ?? '';
  const open = work.state.asks.find((ask) => ask.request === request);
  if (open === undefined) return;
  change(work, { asks: work.state.asks.filter((ask) => ask !== open) });
  work.signals.push({ kind: 'ask-withdrawn', request });
}

/** Interrupts and other settings are all that we ask once the handshake is over. An interrupt that was refused is acknowledged too: the process is well, the turn runs on. */
export function translateResponse(work: Work, line: Line): void {
  const response = recordOf(line['response']);
  if (settingsResponse(work, response)) return;
  if (!isInterruptId(stringOf(response['request_id']) ?? '')) return;
  if (isEarly(work, recordOf(response['response']))) return change(work, { stopping: 'early' });
  work.signals.push({ kind: 'interrupt-acknowledged' });
  if (response['subtype'] !== 'error') return;
  const why = bounded(stringOf(response['error']) ?? 'no reason given', BOUNDS.message);
  const message = `Claude refused an interrupt: ${why}`;
  work.signals.push({ kind: 'notice', level: 'warning', code: 'interrupt_refused', message });
}

/** Claude tells which messages it has not begun: an interrupt passes over those, and they run on (2.1.330, a prompt and an interrupt in one chunk). */
function isEarly(work: Work, answered: Line): boolean {
  const { stopping, turns, woken } = work.state;
  const [first] = turns;
  if (first === undefined || woken || stopping === false) return false;
  return listOf(answered['still_queued']).includes(uuidOf(first.turn));
}

/**
 * Before a tool is used, in every mode, asked about or not (a repository's own settings may let all pass): the session may have rules.
 * With more of them than can be kept it is denied: what nobody has judged does not pass.
 */
function hookCalled(work: Work, to: string, request: Line): void {
  const input = recordOf(request['input']);
  if (input['hook_event_name'] !== 'PreToolUse') return answer(work, to, {});
  atWork(work);
  const id = stringOf(request['tool_use_id']) ?? '';
  const name = stringOf(input['tool_name']) ?? 'unknown';
  const ask: OpenAsk = { request: to, tool: id.slice(0, BOUNDS.id), question: false, hook: true };
  if (!keeps(work, to)) return decide(work, ask, { decision: 'deny', message: TOO_MANY });
  change(work, { asks: [...work.state.asks, ask] });
  const tool = { id, name, kind: kindOf(name), input: input['tool_input'] ?? {} };
  work.signals.push({ kind: 'ask', ask: { request: to, kind: 'tool', check: true, tool } });
}

const TOO_MANY = 'Denied: too many requests are open';

function keeps(work: Work, to: string): boolean {
  const known = work.state.asks.some((open) => open.request === to);
  return !known && to !== '' && to.length <= BOUNDS.id && work.state.asks.length < BOUNDS.asks;
}

function toolAsked(work: Work, to: string, request: Line): void {
  atWork(work);
  const id = stringOf(request['tool_use_id']) ?? '';
  const name = stringOf(request['tool_name']) ?? 'unknown';
  const input = request['input'] ?? {};
  const question = name === 'AskUserQuestion';
  const ask: OpenAsk = { request: to, tool: id.slice(0, BOUNDS.id), question, ...kept(work, input) };
  if (!keeps(work, to)) return decide(work, ask, { decision: 'deny', message: TOO_MANY });
  change(work, { asks: [...work.state.asks, ask] });
  const reason = stringOf(request['decision_reason']) ?? stringOf(request['description']);
  work.signals.push({
    kind: 'ask',
    ask: {
      request: to,
      kind: question ? 'question' : 'tool',
      tool: { id, name, kind: kindOf(name), input },
      ...(question ? { questions: questionsOf(input) } : {}),
      ...(reason === undefined ? {} : { reason: bounded(reason, BOUNDS.message) }),
      ...(question ? {} : { editable: true }),
    },
  });
}

function questionsOf(input: unknown): NonNullable<AgentAsk['questions']> {
  const questions = isRecord(input) ? listOf(input['questions']).filter(isRecord) : [];
  return questions.map((one) => {
    const text = stringOf(one['question']) ?? '';
    const options = listOf(one['options']).filter(isRecord);
    return {
      id: text,
      text,
      ...(options.length === 0 ? {} : { options: options.map(optionOf) }),
      ...(one['multiSelect'] === true ? { multiple: true } : {}),
    };
  });
}

function optionOf(option: Line): { label: string; description?: string } {
  const description = stringOf(option['description']);
  return {
    label: stringOf(option['label']) ?? '',
    ...(description === undefined ? {} : { description }),
  };
}

/** The input is given back with an answer: older versions want it whole, a question's answers go into it. */
function kept(work: Work, input: unknown): { input?: string } {
  const text = JSON.stringify(input);
  const bytes = work.state.asks.reduce((sum, ask) => sum + Buffer.byteLength(ask.input ?? ''), 0);
  const fits = text.length <= BOUNDS.input && bytes + Buffer.byteLength(text) <= BOUNDS.inputs;
  return fits ? { input: text } : {};
}

/** A deny lets the turn go on: with `interrupt` the words would not reach the model. */
function decide(work: Work, ask: OpenAsk, given: AskAnswer): void {
  if (ask.hook === true) return judged(work, ask, given);
  if (given.decision === 'deny') {
    refuseTool(work, ask.tool);
    const message = bounded(given.message ?? 'Denied', BOUNDS.message);
    return answer(work, ask.request, { behavior: 'deny', message });
  }
  const kept = ask.input === undefined ? undefined : Input.safeParse(parseLine(ask.input)).data;
  const edited = given.input === undefined ? kept : Input.safeParse(given.input).data;
  const input = ask.question ? answered(kept ?? {}, given) : edited;
  return answer(work, ask.request, {
    behavior: 'allow',
    ...(input === undefined ? {} : { updatedInput: input }),
  });
}

function judged(work: Work, ask: OpenAsk, { decision, message }: AskAnswer): void {
  if (decision === 'pass') return answer(work, ask.request, {});
  if (decision === 'deny') refuseTool(work, ask.tool);
  const reason = message === undefined ? {} : { permissionDecisionReason: bounded(message, BOUNDS.message) };
  answer(work, ask.request, {
    hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision: decision, ...reason },
  });
}

const Input = z.record(z.string(), z.json());

/** By the words of each question; several choices are one text. Without any the model is told that the user did not answer. */
function answered(input: { readonly [key: string]: Json }, given: AskAnswer): Json {
  const answers: Record<string, Json> = {};
  for (const [id, texts] of Object.entries(given.answers ?? {}))
    answers[id] = bounded(texts.join(', '), BOUNDS.answer);
  return { ...input, answers };
}

function answer(work: Work, to: string, response: Json): void {
  write(work, 'answer', () => ({ to, response }));
}

function refuse(work: Work, to: string, what: string): void {
  const error = `${bounded(what, 100)} is not supported by this client`;
  write(work, 'refusal', () => ({ to, error }));
  const message = `Claude asked for ${error}`;
  work.signals.push({ kind: 'notice', level: 'warning', code: 'request_refused', message });
}
