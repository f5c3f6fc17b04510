/** `npm run bench [-- warm pipeline memory takeover pool permissions policy spares shared keeper]`: all of them, or those named. */
const BENCHES: Readonly<Record<string, () => Promise<void>>> = {
  warm: async () => (await import('./warm.ts')).warm(),
  pipeline: async () => (await import('./pipeline.ts')).pipeline(),
  memory: async () => (await import('./memory.ts')).memory(),
  takeover: async () => (await import('./takeover.ts')).takeover(),
  pool: async () => (await import('./pool.ts')).pool(),
  permissions: async () => (await import('./permissions.ts')).permissions(),
  policy: async () => (await import('./policy.ts')).policy(),
  spares: async () => (await import('./spares.ts')).spares(),
  shared: async () => (await import('./shared.ts')).shared(),
  keeper: async () => (await import('./keeper.ts')).keeper(),
};

const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : Object.keys(BENCHES)) {
  const bench = BENCHES[name];
  if (bench === undefined)
    throw new Error(`There is no bench "${name}"; there are: ${Object.keys(BENCHES).join(', ')}`);
  await bench();
}
