import React, { useState } from 'react';
import {
  AdHocVariableFilter,
  createTheme,
  DataQueryRequest,
  dateTime,
  DataSourceInstanceSettings,
  getDefaultTimeRange,
  QueryEditorProps,
  ScopedVars,
  ThemeContext,
} from '@grafana/data';
import { BackendSrvRequest, config, setBackendSrv, setTemplateSrv } from '@grafana/runtime';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { from, lastValueFrom } from 'rxjs';

import { ClinicSettings } from '../components/ClinicSettings';
import { ConfigEditor } from '../components/ConfigEditor';
import { QueryEditor } from '../components/QueryEditor';
import { SupportAccess } from '../components/SupportAccess';
import { VariableEditor } from '../components/VariableEditor';
import { DataSource } from '../datasource';
import { FalloffOptions, FalloffQuery } from '../types';

/*
 * One of the plugin's parts, alone on a page with Grafana's component library: `?part=query&theme=light&query={…}`. What it asks goes
 * to the plugin's own backend, by the addresses that Grafana has. For pkg/editors_test.go, and part of no plugin.
 */

declare global {
  interface Window {
    stage: {
      /** The query as the part has left it, and how often it was run. */
      query: FalloffQuery;
      runs: number;
      tagKeys: () => Promise<unknown>;
      tagValues: (key: string) => Promise<unknown>;
      /** The cells that a query is answered with, under a dashboard's filters. */
      answer: (query: FalloffQuery, filters: AdHocVariableFilter[]) => Promise<unknown[][]>;
    };
  }
}

const asked = new URLSearchParams(window.location.search);
const theme = createTheme({ colors: { mode: asked.get('theme') === 'light' ? 'light' : 'dark' } });
config.theme2 = theme;

async function ask(options: BackendSrvRequest) {
  const address = new URL(options.url, window.location.origin);
  Object.entries(options.params ?? {}).forEach(([name, value]) => address.searchParams.set(name, String(value)));
  const response = await fetch(address, {
    method: options.method ?? 'GET',
    headers: { 'Content-Type': 'application/json' },
    body: options.data === undefined ? undefined : JSON.stringify(options.data),
  });
  const data = await response.json();
  if (!response.ok) {
    throw { status: response.status, data };
  }
  return { data, status: response.status, ok: true };
}

setBackendSrv({ fetch: (options: BackendSrvRequest) => from(ask(options)) } as unknown as Parameters<
  typeof setBackendSrv
>[0]);
setTemplateSrv({
  replace: (text?: string) => text ?? '',
  getVariables: () => [],
  containsTemplate: () => false,
  updateTimeRange: () => undefined,
});

const datasource = new DataSource({
  uid: 'falloff',
  type: 'falloff-falloff-datasource',
  name: 'Falloff',
  meta: { id: 'falloff-falloff-datasource' },
  jsonData: { clinic: asked.get('clinic') ?? undefined },
} as DataSourceInstanceSettings<FalloffOptions>);

function Stage() {
  const [query, setQuery] = useState<FalloffQuery>(JSON.parse(asked.get('query') ?? '{"refId":"A"}'));
  const [options, setOptions] = useState({
    uid: 'falloff',
    url: 'http://127.0.0.1:8750',
    jsonData: { clinic: 'harbour-street' },
    secureJsonFields: {},
    secureJsonData: {},
  });
  const props = {
    datasource,
    query,
    onChange: (changed: FalloffQuery) => {
      window.stage.query = changed;
      setQuery(changed);
    },
    onRunQuery: () => window.stage.runs++,
    range: getDefaultTimeRange(),
  } as unknown as QueryEditorProps<DataSource, FalloffQuery, FalloffOptions>;
  switch (asked.get('part')) {
    case 'variable':
      return <VariableEditor {...(props as unknown as React.ComponentProps<typeof VariableEditor>)} />;
    case 'config':
      return (
        <ConfigEditor
          {...({ options, onOptionsChange: setOptions } as unknown as React.ComponentProps<typeof ConfigEditor>)}
        />
      );
    case 'settings':
      return <ClinicSettings source={datasource} />;
    case 'support':
      return <SupportAccess source={datasource} />;
    default:
      return <QueryEditor {...props} />;
  }
}

window.stage = {
  query: { refId: 'A' },
  runs: 0,
  tagKeys: () => datasource.getTagKeys(),
  tagValues: (key) => datasource.getTagValues({ key, filters: [] }),
  answer: async (query, filters) => {
    const to = dateTime('2026-09-30T12:00:00Z');
    const request = {
      requestId: 'stage',
      range: { from: dateTime('2026-01-01T00:00:00Z'), to, raw: { from: '', to: '' } },
      intervalMs: 86400000,
      scopedVars: {} as ScopedVars,
      targets: [query],
      filters,
    } as unknown as DataQueryRequest<FalloffQuery>;
    const { data, errors } = await lastValueFrom(datasource.query(request));
    if (errors?.length) {
      throw new Error(errors[0].message);
    }
    return data.flatMap((frame) => frame.fields.map((field: { values: unknown[] }) => [...field.values]));
  },
};

const root = document.createElement('main');
root.style.cssText = `min-height: 100vh; padding: 16px; background: ${theme.colors.background.primary}`;
document.body.append(root);
createRoot(root).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <Stage />
    <PortalContainer />
  </ThemeContext.Provider>
);
