import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkJournal, type TestDaemon, type TestHome } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';

/** Bodies, paths and queries of any content: taken, or refused in words that help (which every answer is searched for); never a fault of ours. */

let home: TestHome;
let daemon: TestDaemon;

daemonForAll((made) => {
  ({ home, daemon } = made);
});

const ODD = [
  '',
  ' ',
  '\0',
  '\ud800',
  '-x',
  '../..',
  '**',
  '[',
  '{',
  '__proto__',
  'constructor',
  '1e999',
  '/',
  '$(x)',
  '\u2028',
];
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(...ODD),
  fc.constant('a'.repeat(300)),
);
const anything = fc.oneof(text, fc.double(), fc.constant(null), fc.boolean(), fc.array(text), fc.jsonValue());
const rule = fc.record(
  {
    tool: fc.oneof(text, fc.constantFrom('execute', 'edit', 'fetch', '*')),
    match: text,
    decision: fc.constant('deny'),
  },
  { requiredKeys: ['tool', 'decision'] },
);
const server = fc.oneof(
  fc.record({ command: text, args: fc.array(text), env: fc.dictionary(text, text) }),
  fc.record({ type: fc.constant('http'), url: fc.webUrl(), headers: fc.dictionary(text, text) }),
);
/** Mostly of the right shape, so that what stands in it is looked at. */
const wish = fc.record(
  {
    model: text,
    systemPrompt: text,
    mcpServers: fc.dictionary(fc.oneof(text, fc.constant('a')), server, { maxKeys: 2 }),
    env: fc.dictionary(fc.oneof(text, fc.constant('A')), text, { maxKeys: 2 }),
    credentials: fc.dictionary(fc.oneof(text, fc.constant('githubToken')), fc.oneof(text, anything), {
      maxKeys: 2,
    }),
    resume: text,
    name: fc.oneof(text, anything),
    metadata: fc.dictionary(text, anything, { maxKeys: 3 }),
    permissionPolicy: fc.array(rule, { maxLength: 3 }),
    limits: fc.record({ maxCostUsd: fc.double(), maxTurns: fc.integer() }, { requiredKeys: [] }),
    agentOptions: fc.dictionary(fc.oneof(text, fc.constantFrom('effort', 'config')), anything, {
      maxKeys: 2,
    }),
  },
  { requiredKeys: [] },
);

test('whatever stands in a body, a path or a query: taken, or refused with what to do; the daemon and what runs are untouched', async () => {
  const mine = await daemon.session('claude');
  const route = `/v1/sessions/${mine}`;
  await fc.assert(
    fc.asyncProperty(
      wish,
      fc.constantFrom('claude', 'codex'),
      anything,
      text,
      async (spec, agent, any, word) => {
        const at = encodeURIComponent(word.toWellFormed());
        const asks: readonly (readonly [string, string, unknown?])[] = [
          ['POST', '/v1/sessions', { agent, cwd: home.cwd, ...spec }],
          ['PATCH', route, { metadata: { [word]: any }, permissionPolicy: spec.permissionPolicy }],
          ['PATCH', route, { name: any, credentials: spec.credentials }],
          ['POST', `${route}/turns`, { input: any, whenBusy: word }],
          ['POST', `${route}/permissions/${at}`, { decision: 'allow', input: any, message: word }],
          ['POST', `${route}/interrupt`, any],
          ['POST', '/v1/tokens', { name: word, scopes: any }],
          ['POST', '/v1/workspaces', { path: `/${word}`, trusted: any }],
          ['GET', `/v1/sessions?state=${at}&after=${at}&limit=${at}`],
          ['GET', `${route}/events?after=${at}`],
          ['GET', `/v1/sessions/${at}`],
          ['DELETE', `/v1/tokens/${at}`],
        ];
        for (const [method, path, body] of asks) {
          const { status, body: answer } = await daemon.request(method, path, body);
          expect(status, JSON.stringify([method, path, body, answer])).toBeLessThan(500);
          if (method === 'POST' && path === '/v1/sessions' && status === 201)
            expect((await daemon.request('DELETE', `/v1/sessions/${String(answer.id)}`)).status).toBe(200);
        }
      },
    ),
    { numRuns: 150 },
  );
  const ending = await daemon.turn(mine, 'say still here');
  expect([ending.type, ending.data['text']]).toEqual(['turn.completed', 'still here']);
  checkJournal(await daemon.events(mine));
});
