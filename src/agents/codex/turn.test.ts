import { describe, expect, test } from 'vitest';
import { uuidOf } from '../../protocol/index.ts';
import { C1, C2, NEXT, start, THREAD, TURN } from '../../../test/support/driven-codex.ts';

describe('the receipt', () => {
  test('is the answer to turn/start', () => {
    expect(start().prompt().taken().signals).toEqual([{ kind: 'receipt', turn: TURN }]);
  });

  test('is turn/started when that comes before the answer, once', () => {
    expect(start().prompt().started().taken().signals).toEqual([{ kind: 'receipt', turn: TURN }]);
  });

  test('is our own message seen in a turn', () => {
    const item = { type: 'userMessage', id: 'u', clientId: uuidOf(TURN), content: [] };
    expect(start().prompt().item('started', item).signals).toEqual([{ kind: 'receipt', turn: TURN }]);
  });

  test('a turn that never says turn/started is complete all the same', () => {
    const fast = start()
      .prompt()
      .taken()
      .delta('m', 'hi')
      .item('completed', { type: 'agentMessage', id: 'm', text: 'hi' });
    expect(fast.completed().kinds).toEqual(['receipt', 'text', 'text-done', 'ended']);
  });
});

describe('whose turn it is', () => {
  test('a turn replayed after a resume is ignored', () => {
    const codex = start().prompt();
    codex
      .delta('old', 'old words', C2)
      .item('completed', { type: 'agentMessage', id: 'old', text: 'old' }, C2);
    codex.completed('interrupted', {}, C2);
    expect(codex.signals).toEqual([]);
    expect(codex.taken().completed().ended()).toHaveLength(1);
  });

  test('an ending that comes before the answer waits for it', () => {
    const codex = start().prompt().completed();
    expect(codex.signals).toEqual([]);
    expect(codex.taken().kinds).toEqual(['receipt', 'ended']);
  });

  test('an early ending brings the text that was never said', () => {
    const items = [{ type: 'agentMessage', id: 'm', text: 'quick' }];
    const codex = start().prompt().completed('completed', { items }).taken();
    expect(codex.ended()[0]?.outcome).toEqual({ kind: 'completed', stopReason: 'end_turn', text: 'quick' });
  });

  test('the answer corrects a turn/started of another turn, and voids what that said', () => {
    const codex = start().prompt().started(C2).delta('m', 'old', C2).forget().taken(C1);
    expect(codex.signals).toMatchObject([{ kind: 'text-void', reason: 'not of this turn' }]);
    expect(codex.delta('n', 'new').completed().ended()).toHaveLength(1);
  });

  test('a turn that nobody asked for wakes the session and ends without a turn', () => {
    const codex = start().started().delta('m', 'hm').completed();
    expect(codex.kinds).toEqual(['woke', 'text', 'text-void', 'ended']);
    expect(codex.ended()[0]).not.toHaveProperty('turn');
  });

  test('events of a turn without turn/started wake nobody', () => {
    expect(start().delta('m', 'late').completed().signals).toEqual([]);
  });

  test('other threads are not ours', () => {
    const codex = start().running();
    for (const method of ['turn/started', 'turn/completed', 'item/agentMessage/delta', 'thread/closed'])
      codex.line({
        method,
        params: { threadId: 'other', turnId: C1, itemId: 'm', delta: 'x', turn: { id: C1 } },
      });
    expect(codex.signals).toEqual([]);
  });

  test('late lines of a turn that has ended are dropped', () => {
    const codex = start().running().completed().forget();
    codex.delta('m', 'late').item('completed', { type: 'commandExecution', id: 'c', status: 'failed' });
    codex.completed().started();
    expect(codex.signals).toEqual([]);
  });
});

describe('steering', () => {
  test('a prompt while a turn runs is taken in and ends with it', () => {
    const codex = start().running().prompt(NEXT).taken();
    expect(codex.signals).toEqual([
      { kind: 'receipt', turn: NEXT },
      { kind: 'steer', turn: NEXT, how: 'taken' },
    ]);
    expect(codex.forget().completed().ended()).toMatchObject([{ turn: TURN }]);
    expect(codex.state.turns).toEqual([]);
  });

  test('messages that wait for the running turn have their places: a prompt that comes beside them and finds none is refused', () => {
    const codex = start().prompt(TURN);
    for (const turn of [NEXT, 'trn_third']) codex.accept({ kind: 'steer', turn });
    codex.accept({ kind: 'prompt', turn: 'trn_fourth' });
    expect(codex.ended()).toMatchObject([{ turn: 'trn_fourth', outcome: { kind: 'failed' } }]);
    codex.taken().started();
    expect(codex.state.turns).toHaveLength(3);
  });

  test('the message that was being said is cut: void at the next one', () => {
    const codex = start().running().delta('m1', 'half').prompt(NEXT).taken().forget();
    codex.item('started', { type: 'userMessage', id: 'u', clientId: uuidOf(NEXT), content: [] });
    codex.item('started', { type: 'agentMessage', id: 'm2', text: '' });
    expect(codex.signals).toEqual([{ kind: 'text-void', block: 'b1', reason: 'steered' }]);
  });

  test('a prompt that comes too late for the running turn gets a turn of its own', () => {
    const codex = start()
      .running()
      .prompt(NEXT)
      .completed()
      .forget()
      .taken(C2)
      .completed('completed', {}, C2);
    expect(codex.signals).toMatchObject([
      { kind: 'receipt', turn: NEXT },
      { kind: 'ended', turn: NEXT },
    ]);
  });

  test('a prompt taken into a turn that has ended fails, it is not lost', () => {
    const codex = start().running().prompt(NEXT).completed().forget().taken(C1);
    expect(codex.ended()).toMatchObject([{ turn: NEXT, outcome: { kind: 'failed', code: 'agent_error' } }]);
  });

  test('a prompt into a turn that nobody asked for takes it over', () => {
    const codex = start().started().prompt().taken().completed();
    expect(codex.ended()).toMatchObject([{ turn: TURN }]);
  });
});

describe('a prompt that is not taken', () => {
  const error = (code: number, message: string, data?: object): object => ({
    error: { code, message, data },
  });

  test('is tried again while the server is busy, then fails', () => {
    const codex = start().prompt();
    codex.answer(error(-32001, 'busy')).answer(error(-32001, 'busy'));
    expect(codex.writes.map((write) => write.kind)).toEqual(['turn/start', 'turn/start', 'turn/start']);
    expect(codex.signals).toEqual([]);
    codex.answer(error(-32001, 'busy'));
    expect(codex.ended()).toMatchObject([{ turn: TURN, outcome: { kind: 'failed', code: 'agent_error' } }]);
    expect(codex.writes).toHaveLength(3);
  });

  test('because it is too long says so', () => {
    const data = { input_error_code: 'input_too_large', max_chars: 1_048_576 };
    const [ended] = start()
      .prompt()
      .answer(error(-32602, 'Input exceeds', data))
      .ended();
    expect(ended?.outcome).toMatchObject({ kind: 'failed', code: 'agent_error' });
    expect(ended?.outcome).toHaveProperty('message', expect.stringContaining('1048576'));
  });

  test('because the thread is not loaded', () => {
    const [ended] = start()
      .prompt()
      .answer(error(-32600, `thread not found: ${THREAD}`))
      .ended();
    expect(ended?.outcome).toMatchObject({ kind: 'failed', code: 'agent_error' });
  });

  test('ends the interrupt that waited for it', () => {
    const codex = start().prompt();
    codex.accept({ kind: 'interrupt' });
    codex.answer(error(-32600, 'no'));
    expect(codex.kinds).toEqual(['ended', 'interrupt-acknowledged']);
    expect(codex.state.wantInterrupt).toBe(false);
  });
});

describe('interrupts', () => {
  const refused = (message: string): object => ({ error: { code: -32600, message } });

  test('wait until the turn is seen to run', () => {
    const codex = start().prompt().accept({ kind: 'interrupt' }).taken();
    expect(codex.writes.map((write) => write.kind)).toEqual(['turn/start']);
    codex.started();
    expect(codex.writes.at(-1)).toMatchObject({
      kind: 'turn/interrupt',
      ref: { codexTurn: C1, thread: THREAD },
    });
    codex.forget().answer({ result: {} }).completed('interrupted');
    expect(codex.signals).toMatchObject([
      { kind: 'interrupt-acknowledged' },
      { kind: 'ended', outcome: { kind: 'interrupted' } },
    ]);
    expect(codex.writes.map((write) => write.kind)).toEqual(['thread/backgroundTerminals/clean']);
    expect(codex.forget().answer({ error: { code: -32600, message: 'nothing' } }).signals).toEqual([]);
  });

  test('twice are one', () => {
    const codex = start().running().accept({ kind: 'interrupt' }).accept({ kind: 'interrupt' });
    expect(codex.writes).toHaveLength(1);
  });

  test('refused for another turn are asked once more with its id', () => {
    const codex = start().running().accept({ kind: 'interrupt' });
    codex.answer(refused(`expected active turn id ${C1} but found ${C2}`));
    expect(codex.writes.at(-1)).toMatchObject({ ref: { codexTurn: C2 } });
    codex.answer(refused(`expected active turn id ${C2} but found ${C1}`));
    expect(codex.writes).toHaveLength(2);
    expect(codex.signals).toMatchObject([{ kind: 'notice', code: 'interrupt_refused' }]);
  });

  test('refused because none is active are sent again with the next sign of life', () => {
    const codex = start()
      .running()
      .accept({ kind: 'interrupt' })
      .answer(refused('no active turn to interrupt'));
    expect(codex.signals).toEqual([]);
    expect(codex.delta('m', 'alive').writes).toHaveLength(2);
  });

  test('refused because the turn is over are acknowledged', () => {
    const codex = start().running().accept({ kind: 'interrupt' }).completed().forget();
    const ids = codex.state.pending.filter((open) => open.for === 'interrupt');
    codex.line({ id: ids[0]?.id, ...refused('no active turn to interrupt') });
    expect(codex.signals).toEqual([{ kind: 'interrupt-acknowledged' }]);
  });

  test('with nothing to interrupt are acknowledged at once', () => {
    expect(start().accept({ kind: 'interrupt' }).signals).toEqual([{ kind: 'interrupt-acknowledged' }]);
  });

  test('do not mark a turn: it may complete first', () => {
    const codex = start().running().accept({ kind: 'interrupt' }).completed();
    expect(codex.ended()).toMatchObject([{ outcome: { kind: 'completed' } }]);
    expect(codex.writes.map((write) => write.kind)).toEqual(['turn/interrupt']);
  });
});

describe('errors', () => {
  const error = (message: string, codexErrorInfo: unknown): object => ({ message, codexErrorInfo });

  test('that are retried are notices', () => {
    const codex = start().running();
    codex.said('error', { turnId: C1, willRetry: true, error: error('Reconnecting... 1/5', 'other') });
    expect(codex.signals).toMatchObject([{ kind: 'notice', level: 'warning', code: 'api_retry' }]);
    expect(codex.completed().ended()).toMatchObject([{ outcome: { kind: 'completed' } }]);
  });

  test.each([
    ['unauthorized', 'auth_failed'],
    [{ httpConnectionFailed: { httpStatusCode: 401 } }, 'auth_failed'],
    [{ httpConnectionFailed: { httpStatusCode: 403 } }, 'auth_failed'],
    [{ responseTooManyFailedAttempts: { httpStatusCode: 429 } }, 'rate_limited'],
    ['usageLimitExceeded', 'rate_limited'],
    ['contextWindowExceeded', 'context_exceeded'],
    [{ httpConnectionFailed: { httpStatusCode: 502 } }, 'model_error'],
    ['internalServerError', 'model_error'],
    [{ responseStreamDisconnected: { httpStatusCode: null } }, 'model_error'],
    ['other', 'agent_error'],
    ['somethingNew', 'agent_error'],
    [undefined, 'agent_error'],
  ])('%j is %s', (info, code) => {
    const codex = start()
      .running()
      .completed('failed', { error: error('why', info) });
    expect(codex.ended()).toMatchObject([{ outcome: { kind: 'failed', code, message: 'why' } }]);
  });

  test('the sentence is taken out of the JSON that a provider sent', () => {
    const message = JSON.stringify({ error: { message: 'bad thing', type: 'invalid_request_error' } });
    const codex = start()
      .running()
      .completed('failed', { error: error(message, 'other') });
    expect(codex.ended()[0]?.outcome).toHaveProperty('message', 'bad thing');
  });

  test('a turn "completed" with nothing said behind a final error has failed', () => {
    const codex = start().running();
    codex
      .said('error', { turnId: C1, willRetry: false, error: error('no', 'usageLimitExceeded') })
      .completed();
    expect(codex.ended()).toMatchObject([{ outcome: { kind: 'failed', code: 'rate_limited' } }]);
  });

  test('a thread that is closed ends its turn', () => {
    expect(start().running().said('thread/closed').ended()).toMatchObject([{ outcome: { kind: 'failed' } }]);
  });

  test('a status that is not known is a failure', () => {
    expect(start().running().completed('paused').ended()).toMatchObject([
      { outcome: { code: 'agent_error' } },
    ]);
  });
});
