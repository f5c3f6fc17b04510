/**
 * The handshake: `initialize`, and its answer. Nothing else says that Claude is ready: it prints nothing before the first message.
 * Owns what a start that fails looks like. Knows nothing of processes.
 */
import { PilotlightError } from '../../protocol/index.ts';
import type { AgentSignal } from '../../session/ports.ts';
import type { AgentSettings, Greeted, HandshakeChannel, RequestIds } from '../dialect.ts';
import { bounded, cleanText } from '../text.ts';
import { isRecord, parseLine, textOf, type Line } from './messages.ts';
import { render, request } from './render.ts';
import { toldAtStart } from './settings.ts';
import { BOUNDS, newState, type ClaudeState } from './state.ts';
import { translate } from './translate.ts';

const INITIALIZE = 'initialize';
/** Names our hook before every tool: it fires in every mode, whatever the repository's own settings allow. */
const JUDGE = 'pilotlight-judge';

/** Rejects with `agent_session_in_use`, or `agent_unavailable` (Claude refused, with its words). */
export async function greet(
  channel: HandshakeChannel,
  settings: AgentSettings,
): Promise<Greeted<ClaudeState>> {
  const session = settings.resume ?? settings.freshId;
  const resumed = settings.resume !== undefined;
  const heard = new Heard(channel, settings, newState({ session, resumed, told: toldAtStart(settings) }));
  channel.send(initialize(settings));
  const answer = await channel.receive((line) => heard.line(line));
  const version = answer['claude_code_version'];
  return {
    state: heard.state,
    agentSessionId: heard.state.session,
    ...(typeof version === 'string' ? { version } : {}),
    resumed,
    signals: heard.signals,
  };
}

/** A system prompt goes by protocol: argv can be read by everyone on the machine. */
function initialize({ systemPrompt, judged }: AgentSettings): string {
  return request(INITIALIZE, {
    subtype: 'initialize',
    ...(judged === true ? { hooks: { PreToolUse: [{ hookCallbackIds: [JUDGE] }] } } : {}),
    ...(systemPrompt === undefined ? {} : { appendSystemPrompt: cleanText(systemPrompt) }),
  });
}

/** What comes before the answer is translated as ever: a request is answered, a notice is kept. */
class Heard {
  state: ClaudeState;
  readonly signals: AgentSignal[] = [];
  readonly #channel: HandshakeChannel;
  readonly #settings: AgentSettings;
  readonly #ids: RequestIds;

  constructor(channel: HandshakeChannel, settings: AgentSettings, state: ClaudeState) {
    this.state = state;
    this.#channel = channel;
    this.#settings = settings;
    let n = 0;
    this.#ids = { next: () => (n += 1) };
  }

  /** The body of the answer to `initialize`; throws when Claude says that it cannot start. */
  line(line: string): Line | undefined {
    const message = parseLine(line);
    if (message?.['type'] === 'control_response') return answerOf(message);
    if (message?.['type'] === 'result' || message?.['type'] === 'error') throw refused(message);
    const step = translate(this.state, line, this.#ids);
    this.state = step.state;
    this.signals.push(...step.signals);
    const context = { settings: this.#settings, input: () => '' };
    for (const write of step.writes) this.#channel.send(render(write, context));
    return undefined;
  }
}

function answerOf(message: Line): Line | undefined {
  const response = message['response'];
  if (!isRecord(response) || response['request_id'] !== INITIALIZE) return undefined;
  if (response['subtype'] === 'success') return isRecord(response['response']) ? response['response'] : {};
  throw new PilotlightError('agent_unavailable', `Claude refused to start: ${words(response['error'])}`);
}

/** An unknown conversation is reported as a result with `is_error`, then the process exits with 1. */
function refused(message: Line): PilotlightError {
  const { errors, result, error } = message;
  const why = words(Array.isArray(errors) ? errors[0] : (result ?? error));
  if (/already in use/i.test(why))
    return new PilotlightError('agent_session_in_use', `Claude refused to start: ${why}`);
  return new PilotlightError('agent_unavailable', `Claude refused to start: ${why}`);
}

function words(value: unknown): string {
  return bounded(textOf(value) || 'no reason given', BOUNDS.message);
}
