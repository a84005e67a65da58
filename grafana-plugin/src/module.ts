import { DataSourcePlugin } from '@grafana/data';

import { ConfigEditor } from './components/ConfigEditor';
import { QueryEditor } from './components/QueryEditor';
import { DataSource } from './datasource';
import { FalloffOptions, FalloffQuery, FalloffSecrets } from './types';

export const plugin = new DataSourcePlugin<DataSource, FalloffQuery, FalloffOptions, FalloffSecrets>(DataSource)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor);
