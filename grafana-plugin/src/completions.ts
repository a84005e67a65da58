import { Tables } from './types';

/** One thing that may be written next. */
export interface Completion {
  label: string;
  insert: string;
  kind: 'table' | 'column' | 'function' | 'macro' | 'keyword';
  detail: string;
  documentation?: string;
  /** Where its place begins: what is typed of it so far is replaced. */
  from: number;
}

/** The macros, each with what it becomes. */
export const MACROS = [
  { name: '$__timeFilter', insert: '$__timeFilter(column)', says: 'The column lies in the dashboard’s time range' },
  { name: '$__timeFrom', insert: '$__timeFrom', says: 'First day of the time range' },
  { name: '$__timeTo', insert: '$__timeTo', says: 'Last day of the time range' },
  {
    name: '$__timeGroup',
    insert: '$__timeGroup(column, month)',
    says: 'The column’s day, week, month, quarter or year',
  },
  { name: '$__interval', insert: '$__interval', says: 'The length of time that fits the panel, as an interval' },
];

const KEYWORDS =
  'select from where group by order having limit join left inner asof on using with as and or not in is null between case when then else end distinct union all qualify over partition filter desc asc cast'.split(
    ' '
  );

/** What fits at a place of a statement: columns of a table after its name and a dot, else tables, columns of those named, functions and macros. */
export function completions(text: string, at: number, known: Tables): Completion[] {
  const before = text.slice(0, at);
  if (insideText(before)) {
    return [];
  }
  const typed = /[$\w]*$/.exec(before)?.[0] ?? '';
  const from = at - typed.length;
  const owner = /([A-Za-z_]\w*)\.$/.exec(before.slice(0, from))?.[1];
  if (owner) {
    return afterDot(owner, from, text, known);
  }
  if (typed.startsWith('$')) {
    return MACROS.map(({ name, insert, says }) => ({ label: name, insert, kind: 'macro', detail: says, from }));
  }
  const named = known.tables.filter(({ name }) => mentions(text, name));
  return [
    ...columnsOf(named, from),
    ...known.tables.map((table): Completion => ({
      label: table.name,
      insert: table.name,
      kind: 'table',
      detail: table.grain,
      from,
    })),
    ...known.functions
      .filter((name) => /^[a-z]\w*$/.test(name))
      .map((name): Completion => ({ label: name, insert: `${name}(`, kind: 'function', detail: 'function', from })),
    ...MACROS.map(({ name, insert, says }): Completion => ({ label: name, insert, kind: 'macro', detail: says, from })),
    ...KEYWORDS.map((word): Completion => ({ label: word, insert: word, kind: 'keyword', detail: '', from })),
  ];
}

function afterDot(owner: string, from: number, text: string, known: Tables): Completion[] {
  const inSchema = known.tables.filter(({ name }) => name.startsWith(`${owner}.`));
  if (inSchema.length > 0) {
    return inSchema.map((table) => {
      const label = table.name.slice(owner.length + 1);
      return { label, insert: label, kind: 'table', detail: table.grain, from };
    });
  }
  const table = known.tables.find(({ name }) => bare(name) === owner) ?? aliased(owner, text, known);
  return table ? columnsOf([table], from) : [];
}

/** The table that an alias stands for: from marts.leak_ledger as leak. */
function aliased(alias: string, text: string, known: Tables) {
  return known.tables.find(({ name }) =>
    new RegExp(`\\b(?:\\w+\\.)?${bare(name)}\\s+(?:as\\s+)?${alias}\\b`, 'i').test(text)
  );
}

function columnsOf(tables: Tables['tables'], from: number): Completion[] {
  return tables.flatMap((table) =>
    table.columns.map((column) => ({
      label: column.name,
      insert: column.name,
      kind: 'column' as const,
      detail: `${bare(table.name)} · ${column.type.toLowerCase()}${column.unit ? `, ${column.unit}` : ''}`,
      documentation: column.meaning,
      from,
    }))
  );
}

function bare(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}

function mentions(text: string, table: string): boolean {
  return new RegExp(`\\b${bare(table)}\\b`, 'i').test(text);
}

/** Whether a place is within a text or a comment, where nothing is completed. */
function insideText(before: string): boolean {
  const open = before.replace(/'(?:[^']|'')*'|--[^\n]*\n|\/\*[\s\S]*?\*\//g, ' ');
  return /'|--|\/\*/.test(open);
}
