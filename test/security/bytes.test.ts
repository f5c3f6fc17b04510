import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createApi, type Listening } from '../../src/api/index.ts';
import { admin, known } from '../support/askers.ts';
import { MemoryHost } from '../support/memory-host.ts';
import { openRaw, readRaw, requestText } from '../support/raw.ts';

/** Bytes that nobody thought of: the listener answers or cuts, does nothing without a token, and goes on. */
let host: MemoryHost;
let listening: Listening;

beforeEach(async () => {
  host = new MemoryHost();
  const api = createApi({ host: () => host, tokens: known({ right: admin() }), version: '1' });
  listening = await api.listen({ host: '127.0.0.1', port: 0 });
});

afterEach(async () => {
  await listening.close();
});

const BODY = '{"agent":"claude","cwd":"/"}';

/** A good request but for its token, with pieces of it moved, doubled, dropped or replaced. */
function mutants(port: number): fc.Arbitrary<Buffer> {
  const good = requestText(
    'POST /v1/sessions',
    [
      `Host: 127.0.0.1:${String(port)}`,
      'Authorization: Bearer wrong',
      'Content-Type: application/json',
      `Content-Length: ${String(BODY.length)}`,
    ],
    BODY,
  );
  const pieces = good.split(/(?<=[\r\n: ,])/);
  const edit = fc.record({
    at: fc.nat(pieces.length - 1),
    how: fc.constantFrom('drop', 'double', 'swap', 'replace'),
    with: fc.oneof(
      fc.constantFrom(
        '\r',
        '\n',
        '\r\n',
        '\0',
        ' ',
        ':',
        'chunked',
        'Transfer-Encoding: chunked\r\n',
        '0\r\n\r\n',
        'HTTP/1.1',
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
    ),
  });
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => {
    const made = [...pieces];
    for (const { at, how, with: text } of edits)
      if (how === 'drop') made[at] = '';
      else if (how === 'double') made[at] = `${made[at] ?? ''}${made[at] ?? ''}`;
      else if (how === 'swap') [made[at], made[0]] = [made[0] ?? '', made[at] ?? ''];
      else made[at] = text;
    return Buffer.from(made.join(''), 'latin1');
  });
}

test('a request with pieces moved, doubled, dropped or replaced has no effect, and the next is answered', async () => {
  const port = listening.port ?? 0;
  const health = requestText('GET /v1/health', [`Host: 127.0.0.1:${String(port)}`, 'Connection: close']);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        mutants(port),
        fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      ),
      async (bytes) => {
        const socket = openRaw(port);
        socket.end(bytes);
        const { text } = await readRaw(socket);
        expect(text).toMatch(/^(?:HTTP\/1\.1 4\d\d |HTTP\/1\.1 100 |$)/);
        expect(host.accepted).toBe(0);
        const next = openRaw(port);
        next.write(health);
        expect((await readRaw(next)).status).toBe(200);
      },
    ),
    { numRuns: 200 },
  );
});
