import React, { useEffect, useState } from 'react';
import { QueryEditorProps } from '@grafana/data';
import {
  Alert,
  Combobox,
  InlineField,
  InlineSwitch,
  LoadingPlaceholder,
  RadioButtonGroup,
  Stack,
  Text,
} from '@grafana/ui';

import { DataSource } from '../datasource';
import { Clinic, Definition, FalloffOptions, FalloffQuery, Format } from '../types';
import { ParameterField } from './ParameterField';

type Props = QueryEditorProps<DataSource, FalloffQuery, FalloffOptions>;

const LABEL = 16;
const FORMATS = [
  { label: 'Table', value: 'table' as Format, description: 'One row after another, as the query server answers' },
  { label: 'Series', value: 'series' as Format, description: 'A column for each series, for charts' },
  { label: 'Matrix', value: 'matrix' as Format, description: 'A column for each series, to be coloured by value' },
];

export function QueryEditor({ datasource, query, onChange, onRunQuery }: Props) {
  const [catalogue, setCatalogue] = useState<Definition[]>();
  const [clinics, setClinics] = useState<Clinic[]>([]);
  const [failure, setFailure] = useState<string>();

  useEffect(() => {
    let left = false;
    const tell = (error: unknown) => !left && setFailure(messageOf(error));
    datasource.getCatalogue().then((found) => !left && setCatalogue(found), tell);
    if (!datasource.clinic) {
      datasource.getClinics().then((found) => !left && setClinics(found), tell);
    }
    return () => {
      left = true;
    };
  }, [datasource]);

  const change = (part: Partial<FalloffQuery>) => {
    onChange({ ...query, ...part });
    onRunQuery();
  };

  if (failure) {
    return (
      <Alert title="The query server's catalogue cannot be read" severity="error">
        {failure}
      </Alert>
    );
  }
  if (!catalogue) {
    return <LoadingPlaceholder text="Reading the catalogue…" />;
  }
  const definition = catalogue.find((candidate) => candidate.name === query.query);

  return (
    <Stack direction="column" gap={0.5}>
      <Stack direction="row" gap={0.5} wrap="wrap">
        <InlineField label="Query" labelWidth={LABEL}>
          <Combobox
            id={`falloff-query-${query.refId}`}
            aria-label="Query"
            width={40}
            options={catalogue.map(({ name, title, description }) => ({ value: name, label: title, description }))}
            value={query.query ?? null}
            placeholder="Choose a query"
            onChange={({ value }) => change(chosen(query, catalogue, value))}
          />
        </InlineField>
        {!datasource.clinic && (
          <InlineField label="Clinic" labelWidth={LABEL}>
            <Combobox
              id={`falloff-clinic-${query.refId}`}
              aria-label="Clinic"
              width={30}
              createCustomValue
              options={clinics.map(({ id, name }) => ({ value: id, label: name || id }))}
              value={query.clinic ?? null}
              placeholder="Choose a clinic"
              onChange={({ value }) => change({ clinic: value })}
            />
          </InlineField>
        )}
        {definition?.series && (
          <InlineField label="Format">
            <RadioButtonGroup
              options={FORMATS}
              value={query.format ?? 'table'}
              onChange={(format) => change({ format })}
            />
          </InlineField>
        )}
        {definition?.time_range && (
          <InlineField label="Time range" tooltip={`Narrow the ${definition.time_range} to the dashboard's time range`}>
            <InlineSwitch
              id={`falloff-range-${query.refId}`}
              aria-label="Time range"
              value={Boolean(query.useTimeRange)}
              onChange={(event) => change({ useTimeRange: event.currentTarget.checked })}
            />
          </InlineField>
        )}
      </Stack>
      {definition && definition.parameters.length > 0 && (
        <Stack direction="row" gap={0.5} wrap="wrap">
          {definition.parameters.map((parameter) => (
            <ParameterField
              key={parameter.name}
              id={`falloff-${parameter.name}-${query.refId}`}
              labelWidth={LABEL}
              parameter={parameter}
              value={query.params?.[parameter.name]}
              onChange={(value) => change({ params: withParameter(query.params, parameter.name, value) })}
            />
          ))}
        </Stack>
      )}
      {definition && (
        <Text color="secondary" variant="bodySmall">
          {definition.description}
        </Text>
      )}
      {query.query && !definition && (
        <Alert title={`The query server has no query called “${query.query}”`} severity="warning">
          Choose another one, or update falloff.
        </Alert>
      )}
    </Stack>
  );
}

/** Another question keeps nothing of the last one's parameters, and the format only if it can be drawn so. */
function chosen(query: FalloffQuery, catalogue: Definition[], name: string): Partial<FalloffQuery> {
  const definition = catalogue.find((candidate) => candidate.name === name);
  return {
    query: name,
    params: {},
    format: definition?.series ? query.format : 'table',
    useTimeRange: definition?.time_range ? query.useTimeRange : false,
  };
}

function withParameter(params: FalloffQuery['params'], name: string, value?: string | number) {
  const { [name]: _, ...others } = params ?? {};
  return value === undefined ? others : { ...others, [name]: value };
}

function messageOf(error: unknown): string {
  if (typeof error === 'object' && error !== null) {
    if ('data' in error && typeof error.data === 'object' && error.data !== null && 'message' in error.data) {
      return String(error.data.message);
    }
    if ('message' in error) {
      return String(error.message);
    }
  }
  return 'Test the data source: its settings page says what is wrong.';
}
