/**
 * What a session decides about questions of its agent: who answers, what the answer is, when it is too late. Pure.
 * A request is open from its event until it is resolved, once: by a rule, a person, the deadline, the agent itself or the end of its turn.
 */
import { PilotlightError, type By, type NewEvent } from '../protocol/index.ts';
import {
  NOTHING,
  type DecideContext,
  type Decision,
  type Effect,
  type PermissionAnswer,
  type SessionInput,
  type Verdict,
} from './inputs.ts';
import type { AgentAsk, AskAnswer } from './ports.ts';
import type { Fact, GrantedRule, OpenAsk, SessionState } from './state.ts';

/** Decides the deadline of what has been asked longest. */
const DEADLINE: By = { kind: 'deadline' };

/** The agent asks. While its turn is being stopped nothing is answered: the agent takes it back itself, or is ended. */
export function asked(state: SessionState, ask: AgentAsk, context: DecideContext): Decision {
  const rule = grantable(ask);
  const open: Omit<OpenAsk, 'seq'> = {
    id: context.newPermissionId(),
    request: ask.request,
    askedAt: context.now,
    kind: ask.kind,
    editable: ask.editable === true,
    questions: (ask.questions ?? []).map((question) => question.id),
    ...(rule === undefined ? {} : { rule }),
  };
  const stopped = state.turn.kind !== 'running' || state.turn.stopping !== undefined;
  if (stopped && ask.check === true) return NOTHING;
  const verdict = stopped || ask.kind === 'question' ? undefined : verdictOf(state, { ask, rule }, context);
  const why = verdict?.decision === 'ask' ? verdict.message : undefined;
  const facts: Fact[] = [
    requested(state, { ask: because(ask, why), open }, context),
    { type: '#asked', ask: open },
  ];
  if (stopped)
    return {
      facts: [...facts, resolved(state, open, { decision: 'cancelled', by: { kind: 'turn_end' } })],
      effects: [],
    };
  if (verdict === undefined || verdict.decision === 'ask') {
    const given: AskAnswer = {
      decision: verdict?.decision ?? 'pass',
      ...(why === undefined ? {} : { message: why }),
    };
    return ask.check === true ? { facts: [], effects: [answer(open, given)] } : { facts, effects: [] };
  }
  const { decision, message } = verdict;
  const by: By = { kind: 'policy', name: verdict.rule };
  const said = message === undefined ? {} : { message };
  return {
    facts: [...facts, resolved(state, open, { decision, by, rule: verdict.rule, ...said })],
    effects: [answer(open, { decision, ...said })],
  };
}

/** With the rule that wants a person asked, unless the agent was told it and says so. */
function because(ask: AgentAsk, why: string | undefined): AgentAsk {
  if (why === undefined || ask.reason?.includes(why) === true) return ask;
  return { ...ask, reason: ask.reason === undefined ? why : `${ask.reason}; ${why}` };
}

/** What a rule denies stays denied, also what a person allowed for the session before the rule was there. */
function verdictOf(
  state: SessionState,
  what: { readonly ask: AgentAsk; readonly rule: GrantedRule | undefined },
  context: DecideContext,
): Verdict | undefined {
  const judged = context.judge(state, what.ask);
  return judged?.decision === 'deny' ? judged : (granted(state, what.rule) ?? judged);
}

/** A person, or whoever may, answers. Throws `already_resolved`, `not_found`, `bad_request`. */
export function answered(state: SessionState, input: Extract<SessionInput, { kind: 'answer' }>): Decision {
  const open = state.asks.find((ask) => ask.id === input.id);
  if (open === undefined)
    throw new PilotlightError('not_found', `Session ${state.spec.id} has no open request ${input.id}`, {
      fix: 'See which are open: GET /v1/sessions/{id}/permissions.',
    });
  const given = checked(open, input.answer);
  const { decision, message } = given;
  const facts: Fact[] = [
    resolved(state, open, { decision, by: input.by, ...(message === undefined ? {} : { message }) }),
  ];
  if (decision === 'allow_for_session' && open.rule !== undefined)
    facts.push({ type: '#granted', rule: open.rule });
  return { facts, effects: [answer(open, { ...given, decision: decision === 'deny' ? 'deny' : 'allow' })] };
}

/** Nobody answered in time: the oldest request is denied, in words that the agent reads. */
export function deadline(state: SessionState, ms: number): Decision {
  const [oldest] = state.asks;
  if (oldest === undefined) return NOTHING;
  const message = `Nobody answered within ${String(Math.round(ms / 1000))} s, so this was denied`;
  return {
    facts: [resolved(state, oldest, { decision: 'deny', by: DEADLINE, message })],
    effects: [answer(oldest, { decision: 'deny', message })],
  };
}

/** The agent takes a request back. */
export function withdrawn(state: SessionState, request: string): Decision {
  const open = state.asks.find((ask) => ask.request === request);
  if (open === undefined) return NOTHING;
  return {
    facts: [resolved(state, open, { decision: 'cancelled', by: { kind: 'turn_end' } })],
    effects: [],
  };
}

/** Every open request is closed: its turn is over, or is being ended by `by`. */
export function cancelAll(state: SessionState, by: By): Fact[] {
  return state.asks.map((ask) => resolved(state, ask, { decision: 'cancelled', by }));
}

/** What `allow_for_session` allows: a command in these very words, an MCP tool, a tool by name. Never a question. */
function grantable(ask: AgentAsk): GrantedRule | undefined {
  if (ask.kind === 'question' || ask.tool === undefined) return undefined;
  const { name, input } = ask.tool;
  const command: unknown =
    typeof input === 'object' && input !== null ? Reflect.get(input, 'command') : undefined;
  return { tool: name, ...(typeof command === 'string' ? { match: command } : {}) };
}

function granted(state: SessionState, rule: GrantedRule | undefined): Verdict | undefined {
  if (rule === undefined) return undefined;
  const found = state.granted.find((one) => one.tool === rule.tool && one.match === rule.match);
  return found === undefined ? undefined : { decision: 'allow', rule: 'allowed for this session' };
}

/** Answers that the agent cannot use are refused before anything is resolved. */
function checked(open: OpenAsk, given: PermissionAnswer): PermissionAnswer {
  if (given.answers !== undefined && open.kind !== 'question')
    throw new PilotlightError('bad_request', `Request ${open.id} is no question: it takes no answers`);
  const unknown = Object.keys(given.answers ?? {}).find((id) => !open.questions.includes(id));
  if (unknown !== undefined)
    throw new PilotlightError('bad_request', `Request ${open.id} has no question "${unknown}"`, {
      fix: `Answer ${open.questions.map((id) => JSON.stringify(id)).join(', ')}.`,
    });
  if (given.decision === 'allow_for_session' && open.rule === undefined)
    throw new PilotlightError(
      'bad_request',
      `Request ${open.id} can only be answered once, not for the session`,
      {
        fix: 'Use "allow" or "deny".',
      },
    );
  if (given.input !== undefined && !open.editable)
    throw new PilotlightError(
      'unsupported',
      `The agent does not take an edited input for request ${open.id}`,
      {
        fix: 'Deny it with a message that says what to do instead.',
      },
    );
  return given;
}

function answer(open: Pick<OpenAsk, 'request'>, given: AskAnswer): Effect {
  return { kind: 'say', command: { kind: 'answer', request: open.request, answer: given } };
}

function requested(
  state: SessionState,
  what: { readonly ask: AgentAsk; readonly open: Omit<OpenAsk, 'seq'> },
  context: DecideContext,
): NewEvent {
  const { kind, tool, diff, reason, questions } = what.ask;
  const { id, rule } = what.open;
  return ofTurn(state, {
    type: 'permission.requested',
    data: {
      id,
      kind,
      ...(tool === undefined ? {} : { tool: { id: tool.id, name: tool.name, input: tool.input } }),
      ...(diff === undefined ? {} : { diff }),
      ...(reason === undefined ? {} : { reason }),
      ...(questions === undefined ? {} : { questions }),
      ...(rule === undefined ? {} : { sessionScope: rule }),
      expiresAt: new Date(context.now + context.permissionTimeoutMs).toISOString(),
    },
  });
}

type Resolution = Omit<Extract<NewEvent, { type: 'permission.resolved' }>['data'], 'id'>;

function resolved(state: SessionState, open: Pick<OpenAsk, 'id'>, how: Resolution): NewEvent {
  return ofTurn(state, { type: 'permission.resolved', data: { id: open.id, ...how } });
}

function ofTurn(state: SessionState, event: NewEvent): NewEvent {
  return state.turn.kind === 'running' ? { ...event, turn: state.turn.id } : event;
}
