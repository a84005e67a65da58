import { DataSourceVariableSupport } from '@grafana/data';

import { DataSource } from './datasource';
import { FalloffOptions, FalloffQuery } from './types';

/** Dashboard variables are queries like any other: the editor is the same, and columns called text and value fill them. */
export class FalloffVariableSupport extends DataSourceVariableSupport<DataSource, FalloffQuery, FalloffOptions> {
  getDefaultQuery(): Partial<FalloffQuery> {
    return { query: 'disciplines', params: {}, format: 'table' };
  }
}
