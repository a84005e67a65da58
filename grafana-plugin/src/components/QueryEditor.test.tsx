import React from 'react';
import { fireEvent, render, screen, waitFor } from '@testing-library/react';

import { DataSource } from '../datasource';
import { Clinic, Definition, FalloffQuery } from '../types';
import { QueryEditor } from './QueryEditor';

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

interface Server {
  clinic?: string;
  clinics?: Clinic[];
  fails?: unknown;
}

function shown(query: Partial<FalloffQuery>, { clinic, clinics = [], fails }: Server = { clinic: 'harbour-street' }) {
  const datasource = {
    clinic,
    getCatalogue: jest.fn(() => (fails ? Promise.reject(fails) : Promise.resolve(catalogue))),
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

/** Opens a list and picks the option with the label. */
async function pick(list: string, label: string) {
  fireEvent.click(await screen.findByRole('combobox', { name: list }));
  fireEvent.click(await screen.findByRole('option', { name: new RegExp(label) }));
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
