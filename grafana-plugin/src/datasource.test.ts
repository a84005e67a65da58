import {
  CoreApp,
  DataQueryRequest,
  DataQueryResponse,
  DataSourceInstanceSettings,
  FieldType,
  ScopedVars,
} from '@grafana/data';
import { DataSourceWithBackend } from '@grafana/runtime';
import { of } from 'rxjs';

import { DataSource } from './datasource';
import { FalloffOptions, FalloffQuery, Metric } from './types';

jest.mock('./components/VariableEditor', () => ({ VariableEditor: () => null }));

const mockVariables: Record<string, string | string[]> = {
  discipline: 'Massage',
  clinic: 'harbour-street',
  payers: ["Sun Life's", 'a, b', "'); drop table x; --"],
  nasty: "x' or '1'='1",
  limit: '20',
  code: '0123',
  __interval: '1s',
};

// As Grafana does it: a panel's own variables first, a format for each value, and names that are not known left as they are.
jest.mock('@grafana/runtime', () => ({
  ...jest.requireActual('@grafana/runtime'),
  getTemplateSrv: () => ({
    replace: (text: string, scoped: ScopedVars = {}, format?: (value: unknown) => string) =>
      text.replace(/\$\{?(\w+)\}?/g, (found, name: string) => {
        const value = scoped[name]?.value ?? mockVariables[name];
        if (value === undefined) {
          return found;
        }
        return format ? format(value) : String(value);
      }),
  }),
}));

function datasource(clinic?: string) {
  return new DataSource({ uid: 'falloff', jsonData: { clinic } } as DataSourceInstanceSettings<FalloffOptions>);
}

const query: FalloffQuery = { refId: 'A', query: 'patient_status_counts' };

describe('DataSource', () => {
  it('puts variables into parameters and clinic, and leaves numbers alone', () => {
    const asked = datasource().applyTemplateVariables(
      { ...query, clinic: '$clinic', params: { discipline: '$discipline', limit: 5 } },
      {}
    );
    expect(asked).toEqual({ ...query, clinic: 'harbour-street', params: { discipline: 'Massage', limit: 5 } });
  });

  it('asks nothing for a query that is hidden or empty', () => {
    expect(datasource().filterQuery(query)).toBe(true);
    expect(datasource().filterQuery({ ...query, hide: true })).toBe(false);
    expect(datasource().filterQuery({ refId: 'A' })).toBe(false);
  });

  it('asks a metric and SQL, each only when there is something to ask', () => {
    const source = datasource();
    expect(source.filterQuery({ refId: 'A', mode: 'metric', metric: { name: 'leaks' } })).toBe(true);
    expect(source.filterQuery({ refId: 'A', mode: 'metric', metric: { name: '' } })).toBe(false);
    expect(source.filterQuery({ refId: 'A', mode: 'sql', sql: 'select 1' })).toBe(true);
    expect(source.filterQuery({ refId: 'A', mode: 'sql', sql: ' ' })).toBe(false);
  });

  it('gives a trend panel no more than its axis where there are no rows, and leaves all else alone', () => {
    const day = { name: 'day', type: FieldType.number, config: {}, values: [] };
    const text = { name: 'series', type: FieldType.string, config: {}, values: [] };
    const empty = { fields: [text, day, { ...day, name: 'survival' }], length: 0 };
    const full = {
      fields: [
        { ...day, values: [1] },
        { ...day, name: 'survival', values: [1] },
      ],
      length: 1,
    };
    const answered = { data: [empty, full] };
    const backend = jest.spyOn(DataSourceWithBackend.prototype, 'query').mockReturnValue(of(answered));
    const shown = (panelPluginId: string) => {
      const seen: DataQueryResponse[] = [];
      datasource()
        .query({ panelPluginId, targets: [query] } as DataQueryRequest<FalloffQuery>)
        .subscribe((one) => seen.push(one));
      return seen;
    };
    expect(shown('trend')).toEqual([{ data: [{ fields: [day], length: 0 }, full] }]);
    expect(shown('timeseries')).toEqual([answered]);
    backend.mockRestore();
  });

  it('begins with a metric that needs nothing more', () => {
    const first = datasource().getDefaultQuery(CoreApp.Dashboard);
    expect(first).toMatchObject({ mode: 'metric', metric: { name: 'leaked_revenue', by: ['category'] } });
    expect(datasource().filterQuery({ refId: 'A', ...first })).toBe(true);
  });

  it('takes a saved named query for one, whatever Grafana fills it up with', () => {
    const filled = { ...datasource().getDefaultQuery(CoreApp.Dashboard), ...query } as FalloffQuery;
    const asked = datasource().applyTemplateVariables({ ...filled, params: { discipline: '$discipline' } }, {});
    expect(asked).toMatchObject({ query: 'patient_status_counts', params: { discipline: 'Massage' } });
    expect(datasource().getQueryDisplayText(filled)).toBe('patient_status_counts');
  });

  it('knows the clinic that it is bound to', () => {
    expect(datasource('harbour-street').clinic).toBe('harbour-street');
    expect(datasource('harbour-street').clinicOf({ clinic: 'another' })).toBe('harbour-street');
    expect(datasource().clinicOf({ clinic: '$clinic' })).toBe('harbour-street');
    expect(datasource().clinicOf({})).toBeUndefined();
  });

  it('reads the catalogue once, and again after a failure', async () => {
    const source = datasource();
    const getResource = jest
      .spyOn(source, 'getResource')
      .mockRejectedValueOnce(new Error('unreachable'))
      .mockResolvedValue({ queries: [{ name: 'leak_total' }] });
    await expect(source.getCatalogue()).rejects.toThrow('unreachable');
    await expect(source.getCatalogue()).resolves.toEqual([{ name: 'leak_total' }]);
    await source.getCatalogue();
    expect(getResource).toHaveBeenCalledTimes(2);
    expect(getResource).toHaveBeenCalledWith('queries');
  });

  it('reads what a clinic has once for each, and again after a failure', async () => {
    const source = datasource();
    const getResource = jest
      .spyOn(source, 'getResource')
      .mockRejectedValueOnce(new Error('unreachable'))
      .mockResolvedValue({ permissions: ['sql.run'] });
    await expect(source.getPermissions('a')).rejects.toThrow('unreachable');
    await expect(source.getPermissions('a')).resolves.toEqual(['sql.run']);
    await source.getPermissions('a');
    await source.getPermissions('b');
    expect(getResource.mock.calls.map(([, params]) => params)).toEqual([
      { clinic: 'a' },
      { clinic: 'a' },
      { clinic: 'b' },
    ]);
  });

  it('makes several filter values of a variable of several', () => {
    const asked = datasource().applyTemplateVariables(
      {
        refId: 'A',
        mode: 'metric',
        metric: {
          name: 'leaks',
          filters: [
            { key: 'payer', operator: '=|', values: ['$payers', 'Desjardins'] },
            { key: 'state', operator: '=|', values: [] },
          ],
        },
      },
      {}
    );
    expect(asked.metric?.filters).toEqual([
      { key: 'payer', operator: '=|', values: ["Sun Life's", 'a, b', "'); drop table x; --", 'Desjardins'] },
    ]);
  });

  it('gives a dashboard’s ad-hoc filters to metrics and to the list of leaks, and to nothing else', () => {
    const filters = [
      { key: 'payer', operator: '=', value: 'Sun Life' },
      { key: 'state', operator: '=|', value: 'open', values: ['open', 'assigned'] },
    ];
    const adhoc = [
      { key: 'payer', operator: '=', value: 'Sun Life' },
      { key: 'state', operator: '=|', values: ['open', 'assigned'] },
    ];
    const asked = (part: Partial<FalloffQuery>) =>
      datasource().applyTemplateVariables({ refId: 'A', ...part }, {}, filters).adhoc;
    expect(asked({ mode: 'metric', metric: { name: 'leaks' } })).toEqual(adhoc);
    expect(asked({ mode: 'leaks', query: 'leak_worklist' })).toEqual(adhoc);
    expect(asked({ query: 'leak_worklist' })).toBeUndefined();
    expect(asked({ mode: 'sql', sql: 'select 1' })).toBeUndefined();
  });

  describe('SQL', () => {
    const sql = (text: string, scoped: ScopedVars = {}) =>
      datasource('harbour-street').applyTemplateVariables({ refId: 'A', mode: 'sql', sql: text }, scoped).sql;
    const three = `'Sun Life''s', 'a, b', '''); drop table x; --'`;

    it.each([
      ['a text of its own', 'where d = $discipline', `where d = 'Massage'`],
      ['a list', 'where p in ($payers)', `where p in (${three})`],
      ['braces', 'where p in (${payers})', `where p in (${three})`],
      ['a number', 'limit $limit', 'limit 20'],
      ['a code that looks like a number', 'where c = $code', `where c = '0123'`],
      ['a nasty value', 'where d = $nasty', `where d = 'x'' or ''1''=''1'`],
      ['within quotes', `where d = '$nasty'`, `where d = 'x'' or ''1''=''1'`],
      ['within quotes, several', `where p in ('$payers')`, `where p in (${three})`],
      ['within a text', `where d like '%$discipline%'`, `where d like '%Massage%'`],
      ['a quoted name', 'select 1 as "$nasty"', `select 1 as "x' or '1'='1"`],
      ['a text with backslashes', String.raw`where d = e'\'$nasty'`, String.raw`where d = e'\'x'' or ''1''=''1'`],
      ['comments', '-- $nasty\nselect /* $nasty */ 1', '-- $nasty\nselect /* $nasty */ 1'],
      ['between dollars', 'select $$ $nasty $$', 'select $$ $nasty $$'],
      ['a name that is none', 'where d = $nothing', 'where d = $nothing'],
      ['a text that never ends', `select 'a $nasty`, `select 'a x'' or ''1''=''1`],
    ])('puts variables in: %s', (_, text, want) => {
      expect(sql(text)).toBe(want);
    });

    it('leaves the macros to the backend, also the one that Grafana has a variable for', () => {
      const text = "select $__timeGroup(day, $__interval), '$__timeFrom' where $__timeFilter(day) and d = $discipline";
      expect(sql(text, { __interval: { text: '6h', value: '6h' } })).toBe(text.replace('$discipline', "'Massage'"));
    });
  });

  describe('ad-hoc filters', () => {
    const split = (name: string, title: string) => ({ name, title, description: '', kind: 'name' as const });
    const metrics = [
      { name: 'leaks', source_of_answers: 'rows', splits: [split('state', 'State'), split('category', 'Category')] },
      {
        name: 'leaked_revenue',
        source_of_answers: 'rows',
        splits: [split('category', 'Category'), split('location', 'Location')],
      },
      { name: 'survival', source_of_answers: '', splits: [split('days', 'Days')] },
    ] as Metric[];

    const inWords = (value: string) => ({ values: [value], choices: [{ text: `In words: ${value}`, value }] });

    function asked(values: (value: string) => object = inWords) {
      const source = datasource('harbour-street');
      jest
        .spyOn(source, 'getResource')
        .mockImplementation((path: string, params?: Record<string, string>) =>
          Promise.resolve(path === 'metrics' ? { metrics } : values(`${params?.metric} ${params?.dimension}`))
        );
      return source;
    }

    it('offers what any metric that may be seen is split by', async () => {
      await expect(asked().getTagKeys()).resolves.toEqual([
        { text: 'Category', value: 'category' },
        { text: 'Location', value: 'location' },
        { text: 'State', value: 'state' },
      ]);
    });

    it('offers the values of the metrics that the dashboard shows', async () => {
      const queries: FalloffQuery[] = [{ refId: 'A', mode: 'metric', metric: { name: 'leaked_revenue' } }];
      await expect(asked().getTagValues({ key: 'category', filters: [], queries })).resolves.toEqual([
        { text: 'In words: leaked_revenue category', value: 'leaked_revenue category' },
      ]);
      await expect(asked().getTagValues({ key: 'state', filters: [], queries })).resolves.toEqual([
        { text: 'In words: leaks state', value: 'leaks state' },
      ]);
    });

    it('offers each value once', async () => {
      const source = asked(() => inWords('claim_rejected'));
      await expect(source.getTagValues({ key: 'category', filters: [] })).resolves.toEqual([
        { text: 'In words: claim_rejected', value: 'claim_rejected' },
      ]);
    });

    it('offers the values as they are where the query server is too old to say more', async () => {
      const source = asked((value) => ({ values: [value] }));
      await expect(source.getTagValues({ key: 'state', filters: [] })).resolves.toEqual([
        { text: 'leaks state', value: 'leaks state' },
      ]);
    });
  });
});
