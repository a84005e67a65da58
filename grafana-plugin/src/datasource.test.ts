import { CoreApp, DataSourceInstanceSettings } from '@grafana/data';

import { DataSource } from './datasource';
import { FalloffOptions, FalloffQuery } from './types';

jest.mock('@grafana/runtime', () => ({
  ...jest.requireActual('@grafana/runtime'),
  getTemplateSrv: () => ({
    replace: (text: string) => text.replace('$discipline', 'Massage').replace('$clinic', 'harbour-street'),
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

  it('begins with a question that needs nothing more', () => {
    expect(datasource().getDefaultQuery(CoreApp.Dashboard)).toMatchObject({ query: 'leaks_by_category', params: {} });
  });

  it('knows the clinic that it is bound to', () => {
    expect(datasource('harbour-street').clinic).toBe('harbour-street');
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

  it('fills variables by queries of its own', () => {
    expect(datasource().variables?.getDefaultQuery?.()).toMatchObject({ query: 'disciplines' });
  });
});
