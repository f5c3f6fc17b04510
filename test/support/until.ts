/** Resolves when `done`, looked at in every turn of the loop: nothing here has an event of its own. Rejects after 20 s. */
export async function until(done: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline) {
    if (done()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it did not come to that');
}
