/**
 * The fake model: one loopback HTTP server that Claude Code and Codex take for their model.
 * Owns: the server, its routes and its life. What is answered is decided in answer.ts and played by player.ts.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { messageOf, PilotlightError } from '../protocol/errors.ts';
import { anthropicError, anthropicSchema, AnthropicVoice } from './anthropic.ts';
import { answerTo, type Script } from './answer.ts';
import { control } from './control.ts';
import { Gates } from './gates.ts';
import { bodyOf, headersOf, sendJson } from './http.ts';
import { type JsonObject, objectOf, parseJson } from './json.ts';
import { openaiSchema } from './openai-request.ts';
import { openaiError, OpenaiVoice } from './openai-voice.ts';
import { play } from './player.ts';
import { readRequest } from './read.ts';
import { Attempts, type KeepLimits, RequestLog } from './request-log.ts';
import type { ModelApi, ModelRequest, Pace, Scenario, ScenarioFunction } from './script.ts';
import { Sink } from './sink.ts';

export interface FakeModelOptions {
  /** 0 or absent: a free port. */
  readonly port?: number;
  readonly host?: '127.0.0.1';
  /** Without one, and for requests that it leaves alone, the words of the last user message decide. */
  readonly scenario?: Scenario | ScenarioFunction;
  /** Of text that names no pace itself: 24 characters a delta, no delay, unless given. */
  readonly pace?: Pace;
  /** How many requests are remembered. */
  readonly keep?: KeepLimits;
}

export interface FakeModel extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`: ANTHROPIC_BASE_URL as it is; Codex's base_url is this with `/v1` behind it. */
  readonly url: string;
  readonly port: number;
  /** The newest model requests, oldest first (a live view, capped by `keep`). */
  readonly requests: readonly ModelRequest[];
  /** Names of the gates at which an answer waits now. */
  readonly held: readonly string[];
  /** A kept request that fits, or the next one that does. Rejects with `timeout` after `timeoutMs` (10 000 unless given). */
  waitForRequest(
    predicate: (request: ModelRequest) => boolean,
    options?: { readonly timeoutMs?: number },
  ): Promise<ModelRequest>;
  /** For the requests from now on. `undefined`: back to the word language. */
  setScenario(scenario: Scenario | ScenarioFunction | undefined): void;
  /** Opens a gate; it stays open, also for answers that reach it later. */
  release(name: string): void;
  /** Forgets the recorded requests. */
  forget(): void;
  /** Ends every connection, also the held and the silent ones. May be called twice. */
  close(): Promise<void>;
}

/**
 * Starts a fake model on 127.0.0.1.
 * @throws PilotlightError `bad_request` when the port cannot be listened on.
 */
export async function startFakeModel(options: FakeModelOptions = {}): Promise<FakeModel> {
  const house = new House(options);
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0, noDelay: true },
    (request, response) => {
      house.serve(request, response).catch((thrown: unknown) => house.refuse(response, thrown));
    },
  );
  const port = await listen(server, options);
  const close = async (): Promise<void> => {
    house.record.close();
    const closed = server.listening
      ? new Promise<void>((resolve) => void server.close(() => resolve()))
      : undefined;
    server.closeAllConnections();
    await closed;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests: house.record.kept,
    get held() {
      return house.gates.held;
    },
    waitForRequest: (predicate, { timeoutMs = 10_000 } = {}) => house.record.waitFor(predicate, timeoutMs),
    setScenario: (scenario) => {
      house.script = scenario;
    },
    release: (name) => house.gates.release(name),
    forget: () => house.record.clear(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Longer than a person thinks: a connection closed while a CLI reuses it would show as an error that nobody scripted. */
const KEEP_ALIVE_MS = 600_000;

async function listen(server: Server, { port = 0, host = '127.0.0.1' }: FakeModelOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const fix = 'Choose another port, or none for a free one.';
      reject(
        new PilotlightError(
          'bad_request',
          `The fake model cannot listen on ${host}:${port}: ${cause.message}`,
          { fix, cause },
        ),
      );
    });
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new PilotlightError('internal', 'The fake model has no port');
  return address.port;
}

class House {
  readonly gates = new Gates();
  readonly record: RequestLog;
  readonly #attempts = new Attempts();
  readonly #pace: Required<Pace>;
  #count = 0;
  script: Script;

  constructor(options: FakeModelOptions) {
    this.script = options.scenario;
    this.record = new RequestLog(options.keep);
    this.#pace = { chunk: options.pace?.chunk ?? 24, delayMs: options.pace?.delayMs ?? 0 };
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    if (path.startsWith('/control/')) return control(request, response, this);
    switch (`${request.method} ${path}`) {
      case 'POST /v1/messages':
        return this.#answer('anthropic', request, response);
      case 'POST /v1/responses':
        return this.#answer('openai', request, response);
      case 'POST /v1/messages/count_tokens':
        return this.#countTokens(request, response);
      case 'GET /v1/models':
        return sendJson(
          response,
          200,
          request.headers['anthropic-version'] === undefined ? OPENAI_MODELS : ANTHROPIC_MODELS,
        );
      default:
        return greet(request, response);
    }
  }

  /** What serve() threw: a caller that left is no fault; anything else is told to the caller. */
  refuse(response: ServerResponse, thrown: unknown): void {
    if (response.destroyed || response.headersSent) return void response.destroy();
    const status = thrown instanceof PilotlightError ? thrown.status : 500;
    sendJson(response, status, { error: { type: 'fake_model', message: messageOf(thrown) } });
  }

  async #answer(api: ModelApi, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { request, body, key, position } = await this.#read(api, incoming);
    if (Object.keys(body).length === 0) {
      response.writeHead(400, { 'content-type': 'application/json' });
      const failure = { status: 400, message: 'The body is not a JSON object' };
      return void response.end(api === 'anthropic' ? anthropicError(failure) : openaiError(failure));
    }
    const sink = new Sink(response);
    const unique = randomUUID().slice(0, 8);
    const part = { model: request.model, stream: request.stream, unique };
    const voice = api === 'anthropic' ? new AnthropicVoice(sink, part) : new OpenaiVoice(sink, part);
    const attempt = this.#attempts.next(key, position);
    this.record.add(request);
    const answer = answerTo(
      request,
      this.script,
      api === 'anthropic' ? anthropicSchema(body) : openaiSchema(body),
    );
    const whole = await play(answer, {
      request,
      voice,
      sink,
      gates: this.gates,
      pace: this.#pace,
      attempt,
      unique,
    });
    if (whole) this.#attempts.done(key);
  }

  async #countTokens(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { request } = await this.#read('anthropic', incoming);
    this.record.add({ ...request, side: 'count' });
    sendJson(response, 200, { input_tokens: Math.ceil(request.bytes / 4) });
  }

  async #read(
    api: ModelApi,
    incoming: IncomingMessage,
  ): Promise<ReturnType<typeof readRequest> & { body: JsonObject }> {
    const raw = await bodyOf(incoming);
    const body = objectOf(parseJson(raw.toString()));
    this.#count += 1;
    const seen = {
      api,
      body,
      headers: headersOf(incoming),
      path: incoming.url ?? '/',
      bytes: raw.length,
      number: this.#count,
    };
    return { body, ...readRequest(seen) };
  }
}

const MODEL = 'fake-model';
const OPENAI_MODELS = {
  object: 'list',
  data: [{ id: MODEL, object: 'model', created: 0, owned_by: 'pilotlight' }],
  models: [],
};
const ANTHROPIC_MODELS = {
  data: [{ type: 'model', id: MODEL, display_name: 'Fake model', created_at: '2026-01-01T00:00:00Z' }],
  has_more: false,
  first_id: MODEL,
  last_id: MODEL,
};

/** CLIs greet a server before they use it (`HEAD /`, `HEAD /api/hello`); anything else is not there. */
function greet(request: IncomingMessage, response: ServerResponse): void {
  const isGreeting = request.method === 'HEAD' || (request.method === 'GET' && request.url === '/');
  request.resume();
  if (isGreeting) return sendJson(response, 200, { name: MODEL });
  sendJson(response, 404, {
    error: {
      type: 'not_found_error',
      message: `${request.method} ${request.url} is not served by the fake model`,
    },
  });
}
