import React from 'react';
import { QueryEditorProps } from '@grafana/data';
import { Alert, InlineField, LoadingPlaceholder, RadioButtonGroup, Stack, Text } from '@grafana/ui';

import { DataSource } from '../datasource';
import { BEGINNINGS, FalloffOptions, FalloffQuery, Mode, modeOf } from '../types';
import { ClinicField, LABEL } from './fields';
import { CohortEditor, LeaksEditor } from './ListedEditor';
import { useLoaded } from './loaded';
import { MetricEditor } from './MetricEditor';
import { NamedEditor } from './NamedEditor';
import { SqlEditor } from './SqlEditor';

type Props = QueryEditorProps<DataSource, FalloffQuery, FalloffOptions>;

const MODES: Array<{ value: Mode; label: string; description: string }> = [
  { value: 'metric', label: 'Metric', description: 'A figure of the metric dictionary, split and filtered' },
  { value: 'cohort', label: 'Falloff cohorts', description: 'How long patients stay' },
  { value: 'leaks', label: 'Leak list', description: 'Single leaks, the largest first' },
  { value: 'named', label: 'Named query', description: 'Any question of the server’s catalogue' },
  { value: 'sql', label: 'SQL', description: 'A SELECT of your own, over the marts' },
];

export function QueryEditor({ datasource, query, onChange, onRunQuery }: Props) {
  const clinic = datasource.clinicOf(query);
  const mode = modeOf(query);
  const permissions = useLoaded(clinic, (at) => datasource.getPermissions(at));
  // Until it is known, and where it cannot be, the query server has the last word.
  const maySql = permissions.value?.includes('sql.run');

  const change = (part: Partial<FalloffQuery>) => {
    onChange({ ...query, ...part });
    onRunQuery();
  };
  const begin = (next: Mode) => {
    const { mode: _mode, metric: _metric, sql: _sql, query: _query, params: _params, adhoc: _adhoc, ...kept } = query;
    onChange({ ...kept, mode: next, ...BEGINNINGS[next] });
    onRunQuery();
  };
  const parts = { datasource, query, clinic, change };

  return (
    <Stack direction="column" gap={0.5}>
      <Stack direction="row" gap={0.5} wrap="wrap" alignItems="center">
        <InlineField label="Ask by" labelWidth={LABEL}>
          <RadioButtonGroup
            options={MODES}
            disabledOptions={maySql === false && mode !== 'sql' ? ['sql'] : []}
            value={mode}
            onChange={begin}
          />
        </InlineField>
        {!datasource.clinic && <ClinicField {...parts} />}
        {maySql === false && mode !== 'sql' && (
          <Text color="secondary" variant="bodySmall">
            SQL needs the permission sql.run at this clinic.
          </Text>
        )}
      </Stack>
      {mode === 'metric' && <MetricEditor {...parts} />}
      {mode === 'sql' && <SqlEditor {...parts} isAllowed={maySql} />}
      {mode !== 'metric' && mode !== 'sql' && <Catalogued {...parts} mode={mode} />}
    </Stack>
  );
}

/** The modes that ask a question out of the server's catalogue. */
function Catalogued({ mode, ...parts }: Parameters<typeof MetricEditor>[0] & { mode: Mode }) {
  const catalogue = useLoaded('catalogue', () => parts.datasource.getCatalogue());
  if (catalogue.failure) {
    return (
      <Alert title="The query server's catalogue cannot be read" severity="error">
        {catalogue.failure}
      </Alert>
    );
  }
  if (!catalogue.value) {
    return <LoadingPlaceholder text="Reading the catalogue…" />;
  }
  switch (mode) {
    case 'cohort':
      return <CohortEditor {...parts} catalogue={catalogue.value} />;
    case 'leaks':
      return <LeaksEditor {...parts} catalogue={catalogue.value} />;
    default:
      return <NamedEditor {...parts} catalogue={catalogue.value} />;
  }
}
