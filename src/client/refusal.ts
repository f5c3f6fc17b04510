/** What a daemon or the way to it refuses, as the one error class. */
import { z } from 'zod';
import { ERROR_TABLE, messageOf, PilotlightError, type ErrorCode } from '../protocol/index.ts';

const Problem = z.looseObject({
  status: z.number().optional(),
  title: z.string().optional(),
  detail: z.string().optional(),
  code: z.string(),
  fix: z.string().optional(),
});

/** The error of an answer that is not 2xx. A code of a newer daemon is `internal`, with the code it had in `detail`. */
export async function refusalOf(response: Response): Promise<PilotlightError> {
  const text = await response.text().catch(() => '');
  const problem = Problem.safeParse(parsed(text));
  if (!problem.success)
    return new PilotlightError(
      'internal',
      `The answer is ${String(response.status)} and no problem document`,
      {
        detail: { status: response.status, body: text.slice(0, 500) },
      },
    );
  const { code, detail, fix, title, type: _type, status: _status, ...facts } = problem.data;
  const known = isErrorCode(code);
  return new PilotlightError(known ? code : 'internal', detail ?? title ?? code, {
    ...(fix === undefined ? {} : { fix }),
    detail: { ...facts, httpStatus: response.status, ...(known ? {} : { code }) },
  });
}

/** Nobody answered at all. */
export function unreachable(url: string, cause: unknown): PilotlightError {
  if (reasonOf(cause) === 'bad port')
    return new PilotlightError('no_daemon', `${url} cannot be asked: browsers and fetch refuse this port`, {
      fix: 'Let the daemon listen on another one (server.port in config.toml), and use that url.',
      detail: { url },
      cause,
    });
  return new PilotlightError('no_daemon', `No daemon answers at ${url}: ${reasonOf(cause)}`, {
    fix: '`pilotlight start` starts one; `pilotlight status` says where it is.',
    detail: { url },
    cause,
  });
}

/** fetch says only "fetch failed"; the reason is in its cause. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_TABLE, code);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
