import { DataSourcePlugin } from '@grafana/data';

import { AnyEditor } from './components/AnyEditor';
import { ConfigEditor } from './components/ConfigEditor';
import { DataSource } from './datasource';
import { FalloffOptions, FalloffQuery, FalloffSecrets } from './types';

export const plugin = new DataSourcePlugin<DataSource, FalloffQuery, FalloffOptions, FalloffSecrets>(DataSource)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(AnyEditor);
