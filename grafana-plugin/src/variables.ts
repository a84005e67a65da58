import {
  CustomVariableSupport,
  DataFrame,
  DataQueryRequest,
  DataQueryResponse,
  FieldType,
  LoadingState,
  toDataFrame,
} from '@grafana/data';
import { from, map, Observable } from 'rxjs';

import { VariableEditor } from './components/VariableEditor';
import type { DataSource } from './datasource';
import { FalloffOptions, FalloffQuery, VariableQuery } from './types';

/** Dashboard variables choose from a list of the clinic's, or from any query that has columns called text and value. */
export class FalloffVariableSupport extends CustomVariableSupport<
  DataSource,
  VariableQuery,
  FalloffQuery,
  FalloffOptions
> {
  editor = VariableEditor;

  constructor(private readonly datasource: DataSource) {
    super();
  }

  getDefaultQuery(): Partial<VariableQuery> {
    return { list: 'discipline' };
  }

  query(request: DataQueryRequest<VariableQuery>): Observable<DataQueryResponse> {
    const asked = request.targets[0];
    if (asked?.list === 'clinic') {
      return from(this.datasource.getClinics()).pipe(
        map((clinics) => answer(clinics.map(({ id, name }) => ({ text: name || id, value: id }))))
      );
    }
    const targets = request.targets.map(listed);
    return this.datasource
      .query({ ...request, targets })
      .pipe(map((response) => (asked?.withoutAll ? { ...response, data: response.data.map(withoutAll) } : response)));
  }
}

/** A list as the named query that gives it. */
export function listed({ list, withoutAll: _, ...query }: VariableQuery): FalloffQuery {
  const { mode: _mode, metric: _metric, ...others } = query;
  switch (list) {
    case undefined:
    case 'clinic':
      return query;
    case 'discipline':
      return { ...others, query: 'disciplines', params: {}, format: 'table' };
    default:
      return { ...others, query: 'choices', params: { list }, format: 'table' };
  }
}

function answer(rows: Array<{ text: string; value: string }>): DataQueryResponse {
  const frame = toDataFrame({
    fields: [
      { name: 'text', type: FieldType.string, values: rows.map(({ text }) => text) },
      { name: 'value', type: FieldType.string, values: rows.map(({ value }) => value) },
    ],
  });
  return { data: [frame], state: LoadingState.Done };
}

function withoutAll(frame: DataFrame): DataFrame {
  const values = frame.fields.find(({ name }) => name === 'value')?.values ?? [];
  const kept = Array.from(values, (value, at) => (value === 'all' ? -1 : at)).filter((at) => at >= 0);
  const fields = frame.fields.map((field) => ({ ...field, values: kept.map((at) => field.values[at]) }));
  return { ...frame, fields, length: kept.length };
}
