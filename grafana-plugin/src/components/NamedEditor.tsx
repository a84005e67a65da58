import React from 'react';
import { Alert, Combobox, InlineField, Stack, Text } from '@grafana/ui';

import { Definition, FalloffQuery, ParameterValue } from '../types';
import { FormatField, LABEL, PartProps, TimeRangeField } from './fields';
import { ParameterField } from './ParameterField';

/** One question out of the server's catalogue, with its parameters. */
export function NamedEditor({ datasource, query, clinic, change, catalogue }: PartProps & { catalogue: Definition[] }) {
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
        {definition?.series && <FormatField query={query} change={change} />}
        {definition?.time_range && <TimeRangeField query={query} change={change} narrows={definition.time_range} />}
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
              // The codes alone do not say what the ledger's categories are called.
              choices={
                clinic && parameter.name === 'category' ? () => datasource.getChoices(clinic, 'category') : undefined
              }
            />
          ))}
        </Stack>
      )}
      {definition && (
        <Text color="secondary" variant="bodySmall">
          {definition.description}
        </Text>
      )}
      {query.query && !definition && <Gone name={query.query} />}
    </Stack>
  );
}

export function Gone({ name }: { name: string }) {
  return (
    <Alert title={`The query server has no query called “${name}”`} severity="warning">
      Choose another one, or update falloff.
    </Alert>
  );
}

/** Another question keeps nothing of the last one's parameters, and the format only if it can be drawn so. */
export function chosen(query: FalloffQuery, catalogue: Definition[], name: string): Partial<FalloffQuery> {
  const definition = catalogue.find((candidate) => candidate.name === name);
  return {
    query: name,
    params: {},
    format: definition?.series ? query.format : 'table',
    useTimeRange: definition?.time_range ? query.useTimeRange : false,
  };
}

export function withParameter(params: FalloffQuery['params'], name: string, value?: ParameterValue) {
  const { [name]: _, ...others } = params ?? {};
  return value === undefined ? others : { ...others, [name]: value };
}
