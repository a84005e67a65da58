import React from 'react';
import { fireEvent, render, screen, waitFor } from '@testing-library/react';

import { DataSource } from '../datasource';
import { Clinic, Definition, FalloffQuery, Metric, MetricQuery } from '../types';
import { QueryEditor } from './QueryEditor';

// The real one loads its parts from Grafana's own server.
jest.mock('@grafana/ui', () => ({
  ...jest.requireActual('@grafana/ui'),
  CodeEditor: ({ value, onBlur }: { value: string; onBlur?: (value: string) => void }) => (
    <textarea aria-label="Code" defaultValue={value} onBlur={(event) => onBlur?.(event.target.value)} />
  ),
}));

const catalogue: Definition[] = [
  {
    name: 'leaks_by_month',
    title: 'Money leaked by service month',
    description: 'By the month of the service.',
    parameters: [
      {
        name: 'certainty',
        title: 'Certainty',
        description: 'How sure',
        type: 'choice',
        default: 'owed',
        allowed: ['owed', 'firm'],
      },
    ],
    time_range: 'service days',
    series: { x: 'month', name: 'series', value: 'amount_cents' },
  },
  {
    name: 'worst_open_leaks',
    title: 'Worst open leaks',
    description: 'The largest single leaks.',
    parameters: [
      { name: 'limit', title: 'Rows', description: 'How many', type: 'integer', default: 20, min: 1, max: 1000 },
      { name: 'discipline', title: 'Discipline', description: 'Which', type: 'text', default: 'all' },
    ],
  },
];

const cohorts: Definition[] = [
  {
    name: 'retention_curve',
    title: 'Share of patients not yet lapsed',
    description: 'Kaplan–Meier.',
    parameters: [
      {
        name: 'group',
        title: 'Curves',
        description: 'One curve each',
        type: 'choice',
        default: 'all',
        allowed: ['all', 'cohort_month'],
      },
      { name: 'discipline', title: 'Discipline', description: 'Which', type: 'text', default: 'all' },
      {
        name: 'definition',
        title: 'Falls off',
        description: 'When',
        type: 'choice',
        default: 'first_lapse',
        allowed: ['first_lapse', 'last_visit'],
      },
      { name: 'days', title: 'Up to day', description: 'The last', type: 'integer', default: 365, min: 30, max: 3650 },
      { name: 'every_days', title: 'Every', description: 'Distance', type: 'integer', default: 7, min: 1, max: 90 },
    ],
    series: { x: 'day', name: 'series', value: 'survival' },
  },
  {
    name: 'cohort_heatmap',
    title: 'Cohorts',
    description: 'By month.',
    parameters: [
      { name: 'discipline', title: 'Discipline', description: 'Which', type: 'text', default: 'all' },
      { name: 'months', title: 'Months', description: 'How many', type: 'integer', default: 12, min: 1, max: 60 },
    ],
    series: { x: 'cohort', name: 'month_index', value: 'active_share' },
  },
  {
    name: 'leak_worklist',
    title: 'Leaks to be settled',
    description: 'Single leaks.',
    parameters: [
      { name: 'limit', title: 'Rows', description: 'How many', type: 'integer', default: 100, min: 1, max: 5000 },
      {
        name: 'state',
        title: 'State',
        description: 'How it stands',
        type: 'choice',
        default: 'unsettled',
        allowed: ['unsettled', 'open', 'assigned'],
      },
      { name: 'category', title: 'Category', description: 'Which', type: 'choice', default: 'all', allowed: ['all'] },
      { name: 'assignee', title: 'Assigned to', description: 'Whose task', type: 'text', default: 'all' },
      { name: 'minimum', title: 'At least', description: 'Least', type: 'integer', default: 0, min: 0, max: 1000000 },
    ],
  },
];

const split = (name: string, title: string) => ({ name, title, description: '', kind: 'name' as const });
const metrics: Metric[] = [
  {
    name: 'show_rate',
    title: 'Show rate',
    unit: 'share',
    definition: 'Arrived of those expected.',
    grain: 'a month',
    permission: 'schedule',
    combine: 'mean',
    splits: [split('staff_member', 'Staff member'), split('weekday', 'Weekday')],
    grains: ['month', 'quarter', 'year'],
    needed: [],
    source_of_answers: 'rows',
  },
  {
    name: 'leaked_revenue',
    title: 'Leaked revenue',
    unit: 'cents',
    definition: 'Earned and not there.',
    grain: 'a month',
    permission: 'money',
    combine: 'sum',
    splits: [split('category', 'Category'), split('payer', 'Payer'), split('staff_member', 'Staff member')],
    grains: ['month', 'quarter', 'year'],
    needed: [],
    source_of_answers: 'released',
    released: [[], ['category'], ['category', 'month']],
  },
  {
    name: 'median_days_to_pay',
    title: 'Median days to pay',
    unit: 'days',
    definition: 'Half are paid by then.',
    grain: 'a payer',
    permission: 'payers',
    combine: 'none',
    splits: [split('payer', 'Payer')],
    grains: ['month'],
    needed: ['payer'],
    source_of_answers: 'rows',
  },
];

interface Server {
  clinic?: string;
  clinics?: Clinic[];
  fails?: unknown;
  permissions?: string[];
}

function shown(
  query: Partial<FalloffQuery>,
  { clinic, clinics = [], fails, permissions = ['sql.run'] }: Server = { clinic: 'harbour-street' }
) {
  const datasource = {
    clinic,
    clinicOf: (asked: FalloffQuery) => clinic ?? asked.clinic,
    getPermissions: jest.fn(() => Promise.resolve(permissions)),
    getMetrics: jest.fn(() => Promise.resolve(metrics)),
    getMetricValues: jest.fn(() =>
      Promise.resolve([
        { text: 'Sun Life', value: 'Sun Life' },
        { text: 'Claim rejected, not resubmitted', value: 'claim_rejected' },
      ])
    ),
    getMetricSql: jest.fn((_: string, metric: MetricQuery) => Promise.resolve(`select ${metric.name}`)),
    getChoices: jest.fn((_: string, list: string) =>
      Promise.resolve([
        { text: 'All', value: 'all' },
        list === 'category'
          ? { text: 'Claim rejected, not resubmitted', value: 'claim_rejected' }
          : { text: 'Robin Mercer', value: 'Robin Mercer' },
      ])
    ),
    getTables: jest.fn(() =>
      Promise.resolve({ tables: [{ name: 'marts.leak_ledger', grain: 'a leak', columns: [] }], functions: [] })
    ),
    getCatalogue: jest.fn(() => (fails ? Promise.reject(fails) : Promise.resolve([...catalogue, ...cohorts]))),
    getClinics: jest.fn(() => Promise.resolve(clinics)),
  };
  const onChange = jest.fn<void, [FalloffQuery]>();
  const onRunQuery = jest.fn();
  render(
    <QueryEditor
      datasource={datasource as unknown as DataSource}
      query={{ refId: 'A', ...query }}
      onChange={onChange}
      onRunQuery={onRunQuery}
    />
  );
  return { datasource, onChange, onRunQuery };
}

/** A loaded machine takes its time. */
const PATIENT = { timeout: 20_000 };
jest.setTimeout(60_000);

/** Opens a list and picks the option with the label. */
async function pick(list: string, label: string) {
  fireEvent.click(await screen.findByRole('combobox', { name: list }, PATIENT));
  fireEvent.click(await screen.findByRole('option', { name: new RegExp(label, 'i') }, PATIENT));
}

beforeAll(() => {
  // The lists draw only what fits, and here nothing has a size unless we say so.
  for (const size of ['clientWidth', 'clientHeight', 'offsetWidth', 'offsetHeight']) {
    Object.defineProperty(HTMLElement.prototype, size, { configurable: true, value: 400 });
  }
  HTMLCanvasElement.prototype.getContext = (() => ({ measureText: () => ({ width: 40 }) })) as never;
});

describe('QueryEditor', () => {
  it('shows the chosen question, what it means and its parameters', async () => {
    shown({ query: 'worst_open_leaks', params: { limit: 5 } });
    expect(await screen.findByRole('combobox', { name: 'Query' })).toHaveValue('Worst open leaks');
    expect(screen.getByText('The largest single leaks.')).toBeInTheDocument();
    expect(screen.getByLabelText('Rows')).toHaveValue('5');
    expect(screen.getByLabelText('Discipline')).toHaveAttribute('placeholder', 'all');
    expect(screen.queryByText('Format')).not.toBeInTheDocument();
    expect(screen.queryByLabelText('Time range')).not.toBeInTheDocument();
  });

  it('changes the question, keeping nothing that the new one does not know', async () => {
    const { onChange, onRunQuery } = shown({
      query: 'leaks_by_month',
      params: { certainty: 'firm' },
      format: 'series',
      useTimeRange: true,
    });
    await pick('Query', 'Worst open leaks');
    expect(onChange).toHaveBeenCalledWith({
      refId: 'A',
      query: 'worst_open_leaks',
      params: {},
      format: 'table',
      useTimeRange: false,
    });
    expect(onRunQuery).toHaveBeenCalledTimes(1);
  });

  it('sets a choice', async () => {
    const { onChange } = shown({ query: 'leaks_by_month' });
    await pick('Certainty', 'firm');
    expect(onChange.mock.calls[0][0].params).toEqual({ certainty: 'firm' });
  });

  it('sends whole numbers as numbers, variables as text, and nothing where the box is empty', async () => {
    const { onChange } = shown({ query: 'worst_open_leaks', params: { limit: 5, discipline: 'Massage' } });
    const rows = await screen.findByLabelText('Rows');
    fireEvent.blur(rows, { target: { value: '50' } });
    expect(onChange.mock.calls[0][0].params).toEqual({ limit: 50, discipline: 'Massage' });
    fireEvent.blur(rows, { target: { value: '$rows' } });
    expect(onChange.mock.calls[1][0].params).toEqual({ limit: '$rows', discipline: 'Massage' });
    fireEvent.blur(screen.getByLabelText('Discipline'), { target: { value: ' ' } });
    expect(onChange.mock.calls[2][0].params).toEqual({ limit: 5 });
  });

  it('does not ask again when a box is left as it was', async () => {
    const { onChange, onRunQuery } = shown({ query: 'worst_open_leaks', params: { limit: 5 } });
    fireEvent.blur(await screen.findByLabelText('Rows'));
    expect(onChange).not.toHaveBeenCalled();
    expect(onRunQuery).not.toHaveBeenCalled();
  });

  it('offers series and the time range where the question knows them', async () => {
    const { onChange } = shown({ query: 'leaks_by_month' });
    fireEvent.click(await screen.findByLabelText('Series'));
    expect(onChange.mock.calls[0][0].format).toBe('series');
    fireEvent.click(screen.getByLabelText('Time range'));
    expect(onChange.mock.calls[1][0].useTimeRange).toBe(true);
  });

  it('lets the query choose a clinic where the data source is bound to none', async () => {
    const { onChange } = shown(
      { query: 'worst_open_leaks' },
      { clinics: [{ id: 'harbour-street', name: 'Harbour Street Physio' }] }
    );
    await pick('Clinic', 'Harbour Street Physio');
    expect(onChange.mock.calls[0][0].clinic).toBe('harbour-street');
  });

  it('does not ask for a clinic where the data source is bound to one', async () => {
    const { datasource } = shown({ query: 'worst_open_leaks' });
    await screen.findByRole('combobox', { name: 'Query' });
    expect(screen.queryByRole('combobox', { name: 'Clinic' })).not.toBeInTheDocument();
    expect(datasource.getClinics).not.toHaveBeenCalled();
  });

  it('says what is wrong when there is no catalogue', async () => {
    shown({}, { clinic: 'a', fails: { status: 502, data: { message: 'The query server refuses the token.' } } });
    expect(await screen.findByText('The query server refuses the token.')).toBeInTheDocument();
  });

  it('says that a question is gone', async () => {
    shown({ query: 'leaks_by_moon' });
    await waitFor(() => expect(screen.getByText(/no query called “leaks_by_moon”/)).toBeInTheDocument());
  });
});

describe('modes', () => {
  it('says which a saved query is of: one without a mode is a named query, also where Grafana filled it up', async () => {
    shown({ query: 'worst_open_leaks', mode: 'metric', metric: { name: 'leaked_revenue' } });
    expect(await screen.findByRole('combobox', { name: 'Query' })).toHaveValue('Worst open leaks');
    expect(screen.getByRole('radio', { name: 'Named query' })).toBeChecked();
  });

  it('begins another one with nothing of the last, and keeps what both know', async () => {
    const { onChange } = shown({
      query: 'leaks_by_month',
      params: { certainty: 'firm' },
      useTimeRange: true,
      hide: true,
    });
    fireEvent.click(await screen.findByRole('radio', { name: 'Metric' }));
    expect(onChange).toHaveBeenLastCalledWith({
      refId: 'A',
      hide: true,
      useTimeRange: true,
      mode: 'metric',
      metric: { name: '', by: [], grain: '', filters: [] },
      format: 'table',
    });
    fireEvent.click(screen.getByRole('radio', { name: 'Leak list' }));
    expect(onChange.mock.lastCall?.[0]).toMatchObject({ mode: 'leaks', query: 'leak_worklist', params: {} });
  });

  it('has no SQL for whoever may not run it, and says why', async () => {
    const { datasource } = shown(
      { query: 'worst_open_leaks' },
      { clinic: 'harbour-street', permissions: ['money.view'] }
    );
    expect(await screen.findByText(/needs the permission sql.run/)).toBeInTheDocument();
    expect(screen.getByRole('radio', { name: 'SQL' })).toBeDisabled();
    expect(datasource.getTables).not.toHaveBeenCalled();
  });
});

describe('a metric', () => {
  it('is chosen out of its area, and says what it means and counts', async () => {
    const { onChange } = shown({ mode: 'metric', metric: { name: '' } });
    fireEvent.click(await screen.findByRole('combobox', { name: 'Metric' }));
    expect(await screen.findByText('Schedule')).toBeInTheDocument();
    expect(screen.getByText('A share. Arrived of those expected.')).toBeInTheDocument();
    fireEvent.click(screen.getByRole('option', { name: /Show rate/ }));
    expect(onChange.mock.lastCall?.[0].metric).toEqual({ name: 'show_rate', by: [], grain: '', filters: [] });
  });

  it('begins with the dimensions that it needs, and keeps those that it knows', async () => {
    const { onChange } = shown({
      mode: 'metric',
      metric: {
        name: 'leaked_revenue',
        by: ['category'],
        grain: 'quarter',
        filters: [
          { key: 'payer', operator: '=|', values: ['Sun Life'] },
          { key: 'category', operator: '=|', values: ['a'] },
        ],
      },
    });
    await pick('Metric', 'Median days to pay');
    expect(onChange.mock.lastCall?.[0].metric).toEqual({
      name: 'median_days_to_pay',
      by: ['payer'],
      grain: '',
      filters: [{ key: 'payer', operator: '=|', values: ['Sun Life'] }],
    });
  });

  it('says where few patients are withheld, and by what it is released', async () => {
    shown({ mode: 'metric', metric: { name: 'leaked_revenue' } });
    expect(await screen.findByText(/released figures.*nothing; category; category and month/)).toBeInTheDocument();
  });

  it('is split by two dimensions at most, and by time', async () => {
    const { onChange } = shown({ mode: 'metric', metric: { name: 'leaked_revenue', by: ['category', 'payer'] } });
    await pick('Split by', 'Staff member');
    expect(onChange.mock.lastCall?.[0].metric?.by).toEqual(['category', 'payer']);
    await pick('Split by time', 'Month');
    expect(onChange.mock.lastCall?.[0].metric?.grain).toBe('month');
    fireEvent.click(screen.getByLabelText('Time range'));
    expect(onChange.mock.lastCall?.[0].useTimeRange).toBe(true);
  });

  it('is narrowed to values that the server has, or to a variable', async () => {
    const filters = [{ key: 'payer', operator: '=|', values: ['$payer'] }];
    const { onChange, datasource } = shown({ mode: 'metric', metric: { name: 'leaked_revenue', filters } });
    await pick('Values 1', 'Sun Life');
    expect(datasource.getMetricValues).toHaveBeenCalledWith('harbour-street', 'leaked_revenue', 'payer');
    expect(onChange.mock.lastCall?.[0].metric?.filters).toEqual([
      { key: 'payer', operator: '=|', values: ['$payer', 'Sun Life'] },
    ]);
    await pick('Operator 1', 'is none of');
    expect(onChange.mock.lastCall?.[0].metric?.filters?.[0].operator).toBe('!=|');
    fireEvent.click(screen.getByRole('button', { name: 'Filter' }));
    expect(onChange.mock.lastCall?.[0].metric?.filters).toHaveLength(2);
    fireEvent.click(screen.getByRole('button', { name: 'Remove filter 1' }));
    expect(onChange.mock.lastCall?.[0].metric?.filters).toEqual([]);
  });

  it('shows values by the words that answers have for them', async () => {
    const filters = [{ key: 'category', operator: '=|', values: ['claim_rejected'] }];
    shown({ mode: 'metric', metric: { name: 'leaked_revenue', filters } });
    expect(await screen.findByText('Claim rejected, not resubmitted', {}, PATIENT)).toBeInTheDocument();
  });

  it('shows the SQL that it becomes, when somebody wants to see it', async () => {
    const metric = { name: 'leaked_revenue', filters: [{ key: '', operator: '=|', values: [] }] };
    const { datasource } = shown({ mode: 'metric', metric });
    const opener = await screen.findByRole('button', { name: 'SQL' });
    expect(datasource.getMetricSql).not.toHaveBeenCalled();
    fireEvent.click(opener);
    expect(await screen.findByText('select leaked_revenue')).toBeInTheDocument();
    expect(datasource.getMetricSql).toHaveBeenCalledWith('harbour-street', { name: 'leaked_revenue', filters: [] });
  });

  it('says that one is not for the person', async () => {
    shown({ mode: 'metric', metric: { name: 'receivables' } });
    expect(await screen.findByText(/no metric called “receivables” for you/)).toBeInTheDocument();
  });

  it('waits for a clinic', async () => {
    const { datasource } = shown({ mode: 'metric', metric: { name: 'leaks' } }, { clinics: [{ id: 'a', name: 'A' }] });
    expect(await screen.findByText(/Choose a clinic first/)).toBeInTheDocument();
    expect(datasource.getMetrics).not.toHaveBeenCalled();
  });
});

describe('cohorts and leaks', () => {
  it('asks by cohort, definition and horizon', async () => {
    const { onChange } = shown({ mode: 'cohort', query: 'retention_curve', params: { discipline: 'Massage' } });
    await pick('Cohort by', 'cohort month');
    expect(onChange.mock.lastCall?.[0].params).toEqual({ discipline: 'Massage', group: 'cohort_month' });
    await pick('Falls off', 'last visit');
    expect(onChange.mock.lastCall?.[0].params).toEqual({ discipline: 'Massage', definition: 'last_visit' });
    fireEvent.blur(screen.getByLabelText('Horizon, days'), { target: { value: '180' } });
    expect(onChange.mock.lastCall?.[0].params).toEqual({ discipline: 'Massage', days: 180 });
    expect(screen.queryByLabelText('Every')).not.toBeInTheDocument();
  });

  it('shows the same patients another way', async () => {
    const { onChange } = shown({
      mode: 'cohort',
      query: 'retention_curve',
      params: { discipline: 'Massage', days: 90 },
    });
    fireEvent.click(await screen.findByRole('radio', { name: 'Heat map' }));
    expect(onChange.mock.lastCall?.[0]).toMatchObject({
      query: 'cohort_heatmap',
      params: { discipline: 'Massage' },
      format: 'matrix',
    });
    expect(screen.queryByRole('radio', { name: 'Outcomes' })).not.toBeInTheDocument();
  });

  it('lists leaks by state, amount and whose task they are', async () => {
    const { onChange, datasource } = shown({ mode: 'leaks', query: 'leak_worklist', params: {} });
    await pick('Assigned to', 'Nobody');
    expect(onChange.mock.lastCall?.[0].params).toEqual({ assignee: 'nobody' });
    expect(datasource.getChoices).toHaveBeenCalledWith('harbour-street', 'staff_member');
    fireEvent.blur(screen.getByLabelText('At least'), { target: { value: '50' } });
    expect(onChange.mock.lastCall?.[0].params).toEqual({ minimum: 50 });
    await pick('State', 'assigned');
    expect(onChange.mock.lastCall?.[0].params).toEqual({ state: 'assigned' });
  });
});

describe('categories of leaks', () => {
  it.each(['leaks', 'named'] as const)('are called what answers call them, in the mode %s', async (mode) => {
    const { onChange } = shown({ mode, query: 'leak_worklist', params: { category: 'claim_rejected' } });
    expect(await screen.findByDisplayValue('Claim rejected, not resubmitted', {}, PATIENT)).toBeInTheDocument();
    await pick('Category', 'All');
    expect(onChange.mock.lastCall?.[0].params).toEqual({ category: 'all' });
  });
});

describe('SQL', () => {
  it('is saved when its box is left, and not when nothing changed', async () => {
    const { onChange, onRunQuery } = shown({ mode: 'sql', sql: 'select 1' });
    const code = await screen.findByLabelText('Code');
    fireEvent.blur(code);
    expect(onRunQuery).not.toHaveBeenCalled();
    fireEvent.blur(code, { target: { value: 'select 2' } });
    expect(onChange.mock.lastCall?.[0]).toEqual({ refId: 'A', mode: 'sql', sql: 'select 2' });
  });

  it('explains its macros', async () => {
    shown({ mode: 'sql', sql: '' });
    fireEvent.click(await screen.findByRole('button', { name: 'Macros and tables' }));
    expect(await screen.findByText('$__timeFilter(column)')).toBeInTheDocument();
    expect(await screen.findByText('leak_ledger')).toBeInTheDocument();
  });

  it('stays as it is for whoever may not run it', async () => {
    shown({ mode: 'sql', sql: 'select 1' }, { clinic: 'harbour-street', permissions: [] });
    expect(await screen.findByText('SQL is not for you at this clinic')).toBeInTheDocument();
    expect(screen.getByText('select 1')).toBeInTheDocument();
  });
});
