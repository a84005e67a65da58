import { completions } from './completions';

const known = {
  tables: [
    {
      name: 'marts.leak_ledger',
      grain: 'a leak',
      columns: [
        { name: 'category', type: 'VARCHAR', meaning: 'Which kind.' },
        { name: 'amount_cents', type: 'BIGINT', unit: 'cents', meaning: 'How much.' },
      ],
    },
    {
      name: 'marts.visits_by_week',
      grain: 'a week',
      columns: [{ name: 'week_from', type: 'DATE', meaning: 'Monday.' }],
    },
  ],
  functions: ['sum', '+', 'date_trunc'],
};

/** Completes at the bar. */
function at(text: string) {
  const place = text.indexOf('|');
  return completions(text.replace('|', ''), place, known);
}
const labels = (text: string) => at(text).map(({ label }) => label);

describe('completions', () => {
  it('offers the tables of a schema after its dot', () => {
    expect(labels('select * from marts.|')).toEqual(['leak_ledger', 'visits_by_week']);
    expect(labels('select * from marts.lea|')).toContain('leak_ledger');
  });

  it('offers the columns of a table, or of what stands for it', () => {
    expect(labels('select leak_ledger.| from marts.leak_ledger')).toEqual(['category', 'amount_cents']);
    expect(labels('select leak.cat| from marts.leak_ledger as leak')).toEqual(['category', 'amount_cents']);
    expect(labels('select w.| from marts.visits_by_week w')).toEqual(['week_from']);
    expect(labels('select nothing.| from marts.leak_ledger')).toEqual([]);
  });

  it('offers the columns of the tables that are named, with what they mean', () => {
    const [first, second] = at('select | from marts.leak_ledger');
    expect(first).toMatchObject({ label: 'category', documentation: 'Which kind.', from: 7 });
    expect(second.detail).toBe('leak_ledger · bigint, cents');
    expect(labels('select | from marts.leak_ledger')).not.toContain('week_from');
  });

  it('offers tables, functions that are called by name, and macros', () => {
    const offered = labels('select |');
    expect(offered).toEqual(expect.arrayContaining(['marts.leak_ledger', 'sum', '$__timeFilter', 'from']));
    expect(offered).not.toContain('+');
  });

  it('offers macros after a dollar, in its place', () => {
    const found = at('where $__ti|');
    expect(found.map(({ label }) => label)).toContain('$__timeFilter');
    expect(found.every(({ from, kind }) => from === 6 && kind === 'macro')).toBe(true);
  });

  it('offers nothing within texts and comments', () => {
    expect(labels("where a = 'marts.|")).toEqual([]);
    expect(labels('-- marts.|')).toEqual([]);
    expect(labels('/* marts.|')).toEqual([]);
    expect(labels("where a = 'it''s' and marts.|")).toHaveLength(2);
  });
});
