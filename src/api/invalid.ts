/** What a schema found wrong, as one error that names the fields. Knows schemas' issues, no route. */
import type { z } from 'zod';
import { PilotlightError } from '../protocol/index.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

interface Fault {
  readonly path: string;
  readonly message: string;
}

const MOST_NAMED = 20;

/** `unknown_field` when a field is not known (whatever else is wrong), else `bad_request`; both name the paths. */
export function invalidRequest(issues: readonly Issue[]): PilotlightError {
  const flat = issues.flatMap((issue) => flatten(issue, []));
  const unknown = flat.flatMap(({ issue, path }) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => pathText([...path, key])) : [],
  );
  if (unknown.length > 0) {
    const fields = unknown.slice(0, MOST_NAMED);
    return new PilotlightError('unknown_field', `Not known: ${fields.join(', ')}`, {
      fix: 'Leave it out, or see GET /openapi.json for the fields there are.',
      detail: { fields },
    });
  }
  const errors = flat.slice(0, MOST_NAMED).map(({ issue, path }): Fault => {
    return { path: pathText(path), message: issue.message };
  });
  const said = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  return new PilotlightError('bad_request', said, { detail: { errors } });
}

interface Placed {
  readonly issue: Issue;
  readonly path: Path;
}

/** A union's issue is replaced by those of the branch that was meant: the one whose fault lies deepest. */
function flatten(issue: Issue, base: Path): readonly Placed[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'invalid_union') {
    const branches = issue.errors.map((branch) => branch.flatMap((inner) => flatten(inner, path)));
    const deepest = branches.toSorted((a, b) => depth(b) - depth(a))[0];
    if (deepest !== undefined && depth(deepest) > path.length) return deepest;
    const wanted = branches.flat().map((placed) => placed.issue.message);
    return [{ issue: { ...issue, message: wanted.join(', or ') || issue.message }, path }];
  }
  if (issue.code === 'invalid_key')
    return issue.issues.map((inner) => ({ issue: { ...inner, path: [] }, path }));
  return [{ issue, path }];
}

function depth(placed: readonly Placed[]): number {
  return Math.max(
    0,
    ...placed.map(({ issue, path }) => path.length + (issue.code === 'unrecognized_keys' ? 1 : 0)),
  );
}

function pathText(path: Path): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : (index === 0 ? '' : '.') + String(part)))
    .join('');
}
