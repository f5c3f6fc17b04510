/**
 * The project's own lint rules: what the stock rules cannot say. Kept to four, each a few lines.
 *
 * - no-literal: a word (SIGKILL) may stand in one file only.
 * - no-restricted-syntax: selectors that are forbidden, with a message.
 * - arrows: which folder of src/ may import which (the table is in .oxlintrc.json).
 * - timers: setTimeout and setInterval outside src/async.
 */
import { dirname, relative, resolve, sep } from 'node:path';

const src = resolve(import.meta.dirname, '..', 'src');

const noLiteral = {
  meta: { type: 'problem', schema: [{ type: 'object' }] },
  create(context) {
    const words = new Set(context.options[0]?.words ?? []);
    const check = (node, value) => {
      if (words.has(value)) context.report({ node, message: `'${value}' belongs in one file only` });
    };
    return {
      Literal: (node) => typeof node.value === 'string' && check(node, node.value),
      TemplateElement: (node) => check(node, node.value.cooked),
    };
  },
};

const noSyntax = {
  meta: { type: 'problem', schema: false },
  create: (context) =>
    Object.fromEntries(
      context.options.map((option) => [
        option.selector,
        (node) => context.report({ node, message: option.message }),
      ]),
    ),
};

/** The room of a file: its folder in src/, or for a file named in the table the file itself. */
function roomOf(file, table) {
  const path = relative(src, file).split(sep).join('/');
  if (path.startsWith('..')) return undefined;
  if (path in table) return path;
  const parts = path.split('/');
  const deep = parts.slice(0, 2).join('/');
  if (parts.length > 2 && deep in table) return deep;
  return parts.length > 1 ? parts[0] : path;
}

const arrows = {
  meta: { type: 'problem', schema: [{ type: 'object' }] },
  create(context) {
    const { table } = context.options[0];
    const from = roomOf(context.filename, table);
    if (from === undefined || context.filename.endsWith('.test.ts')) return {};
    const allowed = table[from];
    const check = (node) => {
      const source = node.source?.value;
      if (typeof source !== 'string') return;
      const to = source.startsWith('.') ? roomOf(resolve(dirname(context.filename), source), table) : source;
      if (to === undefined || to === from || allowed?.includes('*')) return;
      const target = source.startsWith('.')
        ? relative(src, resolve(dirname(context.filename), source))
            .split(sep)
            .join('/')
        : source;
      const top = to.split('/')[0];
      if (source.startsWith('node:')) return;
      const external = !source.startsWith('.');
      if (external && !(context.options[0].guarded ?? []).includes(source)) return;
      if (
        allowed?.some(
          (room) => room === to || room === target || (!external && room === top && !(`${top}/!` in table)),
        )
      )
        return;
      context.report({ node, message: `src/${from} may not import ${external ? source : `src/${target}`}` });
    };
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    };
  },
};

const timers = {
  meta: { type: 'problem', schema: false },
  create: (context) => ({
    CallExpression(node) {
      const name = node.callee.name ?? node.callee.property?.name;
      if (name === 'setTimeout' || name === 'setInterval')
        context.report({ node, message: 'timers belong in src/async' });
    },
  }),
};

export default {
  meta: { name: 'pilotlight' },
  rules: { 'no-literal': noLiteral, 'no-restricted-syntax': noSyntax, arrows, timers },
};
