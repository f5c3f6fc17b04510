import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { portHolder } from './port-holder.ts';

test.runIf(process.platform === 'linux')('names whoever listens, and nobody once it is free', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const holder = portHolder({ host: '127.0.0.1', port: address.port });
  expect(holder?.pid).toBe(process.pid);
  expect(holder?.command).toContain('node');
  server.close();
  await once(server, 'close');
  expect(portHolder({ host: '127.0.0.1', port: address.port })).toBeUndefined();
});
