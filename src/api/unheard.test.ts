import { expect, test } from 'vitest';
import { admin, known } from '../../test/support/askers.ts';
import { MemoryHost } from '../../test/support/memory-host.ts';
import { createApi } from './index.ts';

/** An accepted message was answered with 400 when the log had no room to say that it was accepted. */
test.each(['log', 'audit'])('a %s that throws changes no answer', async (which) => {
  const host = new MemoryHost();
  const api = createApi({
    host: () => host,
    tokens: known({ right: admin() }),
    version: '1',
    [which]: () => {
      throw new Error('no space left on device');
    },
  });
  const response = await api.fetch(
    new Request('http://127.0.0.1:7433/v1/sessions', {
      method: 'POST',
      headers: { authorization: 'Bearer right', 'content-type': 'application/json' },
      body: JSON.stringify({ agent: 'claude', cwd: '/' }),
    }),
  );
  expect(response.status).toBe(201);
});
