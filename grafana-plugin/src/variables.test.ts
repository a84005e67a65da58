import { DataFrame, DataQueryRequest, FieldType, toDataFrame } from '@grafana/data';
import { lastValueFrom, of } from 'rxjs';

import { DataSource } from './datasource';
import { FalloffQuery, VariableList, VariableQuery } from './types';
import { FalloffVariableSupport } from './variables';

jest.mock('./components/VariableEditor', () => ({ VariableEditor: () => null }));

function support() {
  const frame = toDataFrame({
    fields: [
      { name: 'text', type: FieldType.string, values: ['All', 'Main', 'North'] },
      { name: 'value', type: FieldType.string, values: ['all', 'Main', 'North'] },
    ],
  });
  const query = jest.fn((_: DataQueryRequest<FalloffQuery>) => of({ data: [frame] }));
  const datasource = {
    query,
    getClinics: () => Promise.resolve([{ id: 'harbour-street', name: 'Harbour Street Physio' }]),
  };
  const values = async (asked: Partial<VariableQuery>) => {
    const targets = [{ refId: 'A', ...asked }];
    const request = { targets } as DataQueryRequest<VariableQuery>;
    const answer = await lastValueFrom(new FalloffVariableSupport(datasource as unknown as DataSource).query(request));
    return (answer.data[0] as DataFrame).fields.map(({ values }) => Array.from(values));
  };
  return { values, asked: () => query.mock.calls[0][0].targets[0] };
}

describe('variables', () => {
  it.each<[VariableList, string, object]>([
    ['discipline', 'disciplines', {}],
    ['location', 'choices', { list: 'location' }],
    ['staff_member', 'choices', { list: 'staff_member' }],
    ['payer', 'choices', { list: 'payer' }],
    ['category', 'choices', { list: 'category' }],
  ])('asks for %s', async (list, query, params) => {
    const { values, asked } = support();
    await values({ list, clinic: '$clinic' });
    expect(asked()).toEqual({ refId: 'A', clinic: '$clinic', query, params, format: 'table' });
  });

  it('lists the clinics by name, with the ids for values', async () => {
    await expect(support().values({ list: 'clinic' })).resolves.toEqual([
      ['Harbour Street Physio'],
      ['harbour-street'],
    ]);
  });

  it('leaves out the choice of all where Grafana has one of its own', async () => {
    await expect(support().values({ list: 'location', withoutAll: true })).resolves.toEqual([
      ['Main', 'North'],
      ['Main', 'North'],
    ]);
  });

  it('asks a saved query as it was', async () => {
    const { values, asked } = support();
    const saved = { refId: 'payer', query: 'choices', params: { list: 'payer' }, format: 'table' as const };
    await expect(values(saved)).resolves.toEqual([
      ['All', 'Main', 'North'],
      ['all', 'Main', 'North'],
    ]);
    expect(asked()).toEqual(saved);
  });
});
