/** `fake-model`: the fake model alone, until Ctrl-C. */
import { startFakeModel } from '../../testing/index.ts';
import type { Context } from '../context.ts';
import { numberOf, type Options } from '../options.ts';

export async function run(context: Context, _args: readonly unknown[], options: Options): Promise<number> {
  const port = numberOf(options, 'port');
  await using model = await startFakeModel(port === undefined ? {} : { port });
  const { output } = context;
  output.object({ url: model.url, port: model.port });
  output.line(`The fake model answers at ${model.url}. Ctrl-C ends it.

  Claude Code:  ANTHROPIC_BASE_URL=${model.url} ANTHROPIC_API_KEY=made-up claude -p 'say Hello'
  Codex:        MOCK_KEY=made-up codex exec --skip-git-repo-check -c model=gpt-5.5 -c model_provider=mock \\
                  -c 'model_providers.mock={name="mock",base_url="${model.url}/v1",env_key="MOCK_KEY",wire_api="responses"}' 'say Hello'

What it understands: docs/fake-model.md.`);
  const { promise, resolve } = Promise.withResolvers<void>();
  process.once('SIGINT', resolve);
  process.once('SIGTERM', resolve);
  await promise;
  return 0;
}
