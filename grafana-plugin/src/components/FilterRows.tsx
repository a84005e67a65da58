import React from 'react';
import { Button, Combobox, IconButton, InlineField, MultiCombobox, Stack } from '@grafana/ui';

import { Filter } from '../types';
import { LABEL } from './fields';
import { matching, words } from './ParameterField';

interface Props {
  refId: string;
  splits: Array<{ value: string; label: string; description?: string }>;
  filters: Filter[];
  valuesOf: (dimension: string) => Promise<string[]>;
  onChange: (filters: Filter[]) => void;
}

const OPERATORS = [
  { value: '=|', label: 'is one of' },
  { value: '!=|', label: 'is none of' },
];

/** What narrows a figure: each a dimension, and values out of those that there are. A template variable fits, too. */
export function FilterRows({ refId, splits, filters, valuesOf, onChange }: Props) {
  const set = (at: number, part: Partial<Filter>) =>
    onChange(filters.map((filter, place) => (place === at ? { ...filter, ...part } : filter)));
  return (
    <Stack direction="column" gap={0.5}>
      {filters.map((filter, at) => (
        <Stack key={at} direction="row" gap={0.5} wrap="wrap" alignItems="start">
          <InlineField label={at === 0 ? 'Only where' : 'and'} labelWidth={LABEL}>
            <Combobox
              id={`falloff-filter-${at}-${refId}`}
              width={20}
              options={splits}
              value={filter.key || null}
              placeholder="Choose a dimension"
              onChange={({ value }) => set(at, { key: value, values: [] })}
            />
          </InlineField>
          <span id={`falloff-operator-${at}-${refId}`} hidden>{`Operator ${at + 1}`}</span>
          <Combobox
            aria-labelledby={`falloff-operator-${at}-${refId}`}
            width={14}
            options={OPERATORS}
            value={filter.operator.startsWith('!') ? '!=|' : '=|'}
            onChange={({ value }) => set(at, { operator: value })}
          />
          <span id={`falloff-values-${at}-${refId}`} hidden>{`Values ${at + 1}`}</span>
          <MultiCombobox
            // Another dimension has other values.
            key={filter.key}
            aria-labelledby={`falloff-values-${at}-${refId}`}
            width={34}
            createCustomValue
            options={
              filter.key
                ? matching(() =>
                    valuesOf(filter.key).then((all) => all.map((value) => ({ text: words(value), value })))
                  )
                : []
            }
            value={(filter.values ?? []).map((value) => ({ value, label: words(value) }))}
            placeholder="Choose values, or type a variable: $payer"
            onChange={(chosen) => set(at, { values: chosen.map(({ value }) => value) })}
          />
          <IconButton
            name="trash-alt"
            tooltip={`Remove filter ${at + 1}`}
            onClick={() => onChange(filters.filter((_, place) => place !== at))}
          />
        </Stack>
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
