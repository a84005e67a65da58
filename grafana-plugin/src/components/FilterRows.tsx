import React from 'react';
import { Button, Combobox, IconButton, InlineField, MultiCombobox, Stack } from '@grafana/ui';

import { Choice, Filter } from '../types';
import { LABEL } from './fields';
import { useLoaded } from './loaded';
import { called, isCode, matching } from './ParameterField';

interface Shared {
  refId: string;
  /** The figure that is narrowed. */
  metric: string;
  splits: Array<{ value: string; label: string; description?: string }>;
  valuesOf: (dimension: string) => Promise<Choice[]>;
}

interface Props extends Shared {
  filters: Filter[];
  onChange: (filters: Filter[]) => void;
}

interface RowProps extends Shared {
  at: number;
  filter: Filter;
  set: (part: Partial<Filter>) => void;
  remove: () => void;
}

const OPERATORS = [
  { value: '=|', label: 'is one of' },
  { value: '!=|', label: 'is none of' },
];

/** What narrows a figure: each a dimension, and values out of those that there are. A template variable fits, too. */
export function FilterRows({ filters, onChange, ...shared }: Props) {
  return (
    <Stack direction="column" gap={0.5}>
      {filters.map((filter, at) => (
        <FilterRow
          key={at}
          {...shared}
          at={at}
          filter={filter}
          set={(part) => onChange(filters.map((other, place) => (place === at ? { ...other, ...part } : other)))}
          remove={() => onChange(filters.filter((_, place) => place !== at))}
        />
      ))}
      <div>
        <Button
          variant="secondary"
          size="sm"
          icon="plus"
          onClick={() => onChange([...filters, { key: '', operator: '=|', values: [] }])}
        >
          Filter
        </Button>
      </div>
    </Stack>
  );
}

function FilterRow({ refId, metric, splits, valuesOf, at, filter, set, remove }: RowProps) {
  const values = filter.values ?? [];
  const known = useLoaded(filter.key && values.some(isCode) ? `${metric} ${filter.key}` : undefined, () =>
    valuesOf(filter.key)
  );
  return (
    <Stack direction="row" gap={0.5} wrap="wrap" alignItems="start">
      <InlineField label={at === 0 ? 'Only where' : 'and'} labelWidth={LABEL}>
        <Combobox
          id={`falloff-filter-${at}-${refId}`}
          width={20}
          options={splits}
          value={filter.key || null}
          placeholder="Choose a dimension"
          onChange={({ value }) => set({ key: value, values: [] })}
        />
      </InlineField>
      <span id={`falloff-operator-${at}-${refId}`} hidden>{`Operator ${at + 1}`}</span>
      <Combobox
        aria-labelledby={`falloff-operator-${at}-${refId}`}
        width={14}
        options={OPERATORS}
        value={filter.operator.startsWith('!') ? '!=|' : '=|'}
        onChange={({ value }) => set({ operator: value })}
      />
      <span id={`falloff-values-${at}-${refId}`} hidden>{`Values ${at + 1}`}</span>
      <MultiCombobox
        // Another dimension has other values.
        key={filter.key}
        aria-labelledby={`falloff-values-${at}-${refId}`}
        width={34}
        createCustomValue
        options={filter.key ? matching(() => valuesOf(filter.key)) : []}
        value={values.map((value) => ({ value, label: called(value, known.value) }))}
        placeholder="Choose values, or type a variable: $payer"
        onChange={(chosen) => set({ values: chosen.map(({ value }) => value) })}
      />
      <IconButton name="trash-alt" tooltip={`Remove filter ${at + 1}`} onClick={remove} />
    </Stack>
  );
}
