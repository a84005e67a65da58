import React from 'react';
import { Combobox, InlineField, InlineSwitch, RadioButtonGroup } from '@grafana/ui';

import { DataSource } from '../datasource';
import { FalloffQuery, Format } from '../types';
import { useLoaded } from './loaded';

export const LABEL = 16;

/** What every part of the editor is given. */
export interface PartProps {
  datasource: DataSource;
  query: FalloffQuery;
  /** The clinic that the query is about; none where it is still to be chosen. */
  clinic?: string;
  change: (part: Partial<FalloffQuery>) => void;
}

const FORMATS = [
  { label: 'Table', value: 'table' as Format, description: 'One row after another, as the query server answers' },
  { label: 'Series', value: 'series' as Format, description: 'A column for each series, for charts' },
  { label: 'Matrix', value: 'matrix' as Format, description: 'A column for each series, to be coloured by value' },
];

export function FormatField({ query, change, without }: Pick<PartProps, 'query' | 'change'> & { without?: Format }) {
  return (
    <InlineField label="Format">
      <RadioButtonGroup
        options={FORMATS.filter(({ value }) => value !== without)}
        value={query.format ?? 'table'}
        onChange={(format) => change({ format })}
      />
    </InlineField>
  );
}

export function TimeRangeField({ query, change, narrows }: Pick<PartProps, 'query' | 'change'> & { narrows: string }) {
  return (
    <InlineField label="Time range" tooltip={`Narrow the ${narrows} to the dashboard's time range`}>
      <InlineSwitch
        id={`falloff-range-${query.refId}`}
        aria-label="Time range"
        value={Boolean(query.useTimeRange)}
        onChange={(event) => change({ useTimeRange: event.currentTarget.checked })}
      />
    </InlineField>
  );
}

export function ClinicField({ datasource, query, change }: Pick<PartProps, 'datasource' | 'query' | 'change'>) {
  const clinics = useLoaded('clinics', () => datasource.getClinics());
  return (
    <InlineField label="Clinic" labelWidth={LABEL}>
      <Combobox
        id={`falloff-clinic-${query.refId}`}
        aria-label="Clinic"
        width={30}
        createCustomValue
        options={(clinics.value ?? []).map(({ id, name }) => ({ value: id, label: name || id }))}
        value={query.clinic ?? null}
        placeholder="Choose a clinic"
        onChange={({ value }) => change({ clinic: value })}
      />
    </InlineField>
  );
}
