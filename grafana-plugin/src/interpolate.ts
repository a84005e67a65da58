import { ScopedVars } from '@grafana/data';
import { getTemplateSrv } from '@grafana/runtime';

/** Macros that the backend writes out. Grafana has a variable of its own called like the last one, and must leave it alone. */
const KEPT = ['__timeFilter', '__timeFrom', '__timeTo', '__timeGroup', '__interval'];

/** The variables of a panel, with our macros standing for themselves. */
function keepingMacros(scopedVars: ScopedVars): ScopedVars {
  const kept: ScopedVars = { ...scopedVars };
  for (const name of KEPT) {
    kept[name] = { text: `$${name}`, value: `$${name}` };
  }
  return kept;
}

function isMacro(value: string): boolean {
  return KEPT.some((name) => value === `$${name}`);
}

/** What stands apart in SQL: texts, also with backslashes or between dollars, quoted names, and comments. */
const APART =
  /[eE]'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|--[^\r\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$/g;

/**
 * Puts variables into SQL, each as one value or a list of them, whatever is in it. Outside of quotes a value becomes a text of its own,
 * or a number where it is one; within them its quotes are doubled. A comment has no variables.
 */
export function intoSql(sql: string, scopedVars: ScopedVars): string {
  const out: string[] = [];
  let from = 0;
  for (const found of sql.matchAll(APART)) {
    const word = found[0];
    // e'…' is a text with backslashes where it begins a word, and the end of a name before a text otherwise.
    out.push(bare(sql.slice(from, found.index), scopedVars), apart(word, scopedVars));
    from = found.index + word.length;
  }
  out.push(bare(sql.slice(from), scopedVars));
  return out.join('');
}

function bare(text: string, scopedVars: ScopedVars): string {
  return getTemplateSrv().replace(text, keepingMacros(scopedVars), (value: unknown) => {
    if (typeof value === 'string' && isMacro(value)) {
      return value;
    }
    return listOf(value)
      .map((one) => (Array.isArray(value) ? quoted(one) : literal(one)))
      .join(', ');
  });
}

function apart(text: string, scopedVars: ScopedVars): string {
  const quote = text.startsWith('"') ? '"' : "'";
  if (text.startsWith('--') || text.startsWith('/*')) {
    return text;
  }
  const escapes = /^[eE]'/.test(text);
  // Between dollars nothing can be doubled, so that nothing is put in there.
  if (text.startsWith('$')) {
    return text;
  }
  return getTemplateSrv().replace(text, keepingMacros(scopedVars), (value: unknown) => {
    if (typeof value === 'string' && isMacro(value)) {
      return value;
    }
    return listOf(value)
      .map((one) => (escapes ? one.replaceAll('\\', '\\\\') : one).replaceAll(quote, quote + quote))
      .join(`${quote}, ${quote}`);
  });
}

function listOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).map((one) => String(one ?? ''));
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** A value that is a number stays one, so that a limit can be a variable. */
function literal(value: string): string {
  return /^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$/.test(value) ? value : quoted(value);
}

const BETWEEN = '\u0000';

/** The values that a filter's value stands for: a variable of several becomes several. */
export function intoValues(text: string, scopedVars: ScopedVars): string[] {
  return getTemplateSrv()
    .replace(text, scopedVars, (value: unknown) => listOf(value).join(BETWEEN))
    .split(BETWEEN);
}
