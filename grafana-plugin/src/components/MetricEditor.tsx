import React from 'react';
import { Alert, Combobox, InlineField, LoadingPlaceholder, MultiCombobox, Stack, Text } from '@grafana/ui';

import { FalloffQuery, Grain, Metric, MetricQuery } from '../types';
import { FormatField, LABEL, PartProps, TimeRangeField } from './fields';
import { FilterRows } from './FilterRows';
import { useLoaded } from './loaded';
import { SqlPreview } from './SqlPreview';

const AREAS: Record<string, string> = { money: 'Money', falloff: 'Falloff', schedule: 'Schedule', payers: 'Payers' };
const UNITS: Record<string, string> = { cents: 'money', share: 'a share', days: 'days' };
const GRAINS: Record<Grain, string> = {
  '': 'No',
  auto: 'As fits the panel',
  week: 'Week',
  month: 'Month',
  quarter: 'Quarter',
  year: 'Year',
};
const MOST_SPLITS = 2;

/** One figure of the metric dictionary: split by dimensions and time, narrowed by filters, with the SQL that it becomes. */
export function MetricEditor({ datasource, query, clinic, change }: PartProps) {
  const metrics = useLoaded(clinic, (at) => datasource.getMetrics(at));
  const asked: MetricQuery = query.metric ?? { name: '' };
  const set = (part: Partial<MetricQuery>) => change({ metric: { ...asked, ...part } });

  if (!clinic) {
    return <Text color="secondary">Choose a clinic first: what may be asked depends on it.</Text>;
  }
  if (metrics.failure) {
    return (
      <Alert title="The metrics cannot be read" severity="error">
        {metrics.failure}
      </Alert>
    );
  }
  if (!metrics.value) {
    return <LoadingPlaceholder text="Reading the metrics…" />;
  }
  const metric = metrics.value.find(({ name }) => name === asked.name);
  const splits = (metric?.splits ?? []).map(({ name, title, description }) => ({
    value: name,
    label: title,
    description,
  }));

  return (
    <Stack direction="column" gap={0.5}>
      <Stack direction="row" gap={0.5} wrap="wrap">
        <InlineField label="Metric" labelWidth={LABEL}>
          <Combobox
            id={`falloff-metric-${query.refId}`}
            aria-label="Metric"
            width={40}
            options={grouped(metrics.value)}
            value={asked.name || null}
            placeholder="Choose a metric"
            onChange={({ value }) => change(begun(metrics.value ?? [], value, asked))}
          />
        </InlineField>
        {metric && <FormatField query={query} change={change} />}
        {metric && metric.grains.length > 0 && (
          <TimeRangeField query={query} change={change} narrows={metric.grains[0] === 'week' ? 'weeks' : 'months'} />
        )}
      </Stack>
      {asked.name && !metric && (
        <Alert title={`There is no metric called “${asked.name}” for you here`} severity="warning">
          Choose another one. The access policy decides which you see: falloff access explain says why.
        </Alert>
      )}
      {metric && (
        <>
          <Text color="secondary" variant="bodySmall">
            {said(metric)}
          </Text>
          <Stack direction="row" gap={0.5} wrap="wrap">
            <InlineField
              label="Split by"
              labelWidth={LABEL}
              tooltip={`${MOST_SPLITS} dimensions at most, and time besides`}
            >
              <MultiCombobox
                id={`falloff-by-${query.refId}`}
                width={32}
                options={splits}
                value={asked.by ?? []}
                placeholder="Nothing: one figure"
                onChange={(chosen) => set({ by: chosen.slice(0, MOST_SPLITS).map(({ value }) => value) })}
              />
            </InlineField>
            {metric.grains.length > 0 && (
              <InlineField label="Split by time" labelWidth={LABEL}>
                <Combobox
                  id={`falloff-grain-${query.refId}`}
                  aria-label="Split by time"
                  width={20}
                  options={grainsOf(metric).map((value) => ({ value, label: GRAINS[value] }))}
                  value={asked.grain ?? ''}
                  onChange={({ value }) => set({ grain: value })}
                />
              </InlineField>
            )}
          </Stack>
          <FilterRows
            refId={query.refId}
            splits={splits}
            filters={asked.filters ?? []}
            metric={metric.name}
            valuesOf={(dimension) => datasource.getMetricValues(clinic, metric.name, dimension)}
            onChange={(filters) => set({ filters })}
          />
          <SqlPreview datasource={datasource} clinic={clinic} metric={asked} />
        </>
      )}
    </Stack>
  );
}

/** The metrics by area, each with what it means and counts. */
function grouped(metrics: Metric[]) {
  const order = Object.keys(AREAS);
  return [...metrics]
    .sort((a, b) => order.indexOf(a.permission) - order.indexOf(b.permission) || a.title.localeCompare(b.title))
    .map((metric) => ({
      value: metric.name,
      label: metric.title,
      description: `${unitOf(metric)}. ${metric.definition}`,
      group: AREAS[metric.permission] ?? metric.permission,
    }));
}

function unitOf({ unit }: Metric): string {
  const text = UNITS[unit] ?? unit;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What a person should know before they ask. */
function said(metric: Metric): string {
  const parts = [metric.definition, `Unit: ${UNITS[metric.unit] ?? metric.unit}.`];
  if (metric.combine === 'none') {
    parts.push('Figures of several rows are not combined: split by a dimension, or choose one value of it.');
  }
  switch (metric.source_of_answers) {
    case 'caseload':
      parts.push('You see your own caseload: split by staff member.');
      break;
    case 'released':
      parts.push(`You see released figures, in which few patients are withheld. They are split by: ${ways(metric)}.`);
      break;
  }
  return parts.join(' ');
}

function ways({ released, splits }: Metric): string {
  const titleOf = (name: string) =>
    splits.find((split) => split.name === name)?.title.toLowerCase() ?? name.replaceAll('_', ' ');
  return (released ?? []).map((way) => way.map(titleOf).join(' and ') || 'nothing').join('; ');
}

function grainsOf({ grains, combine, source_of_answers }: Metric): Grain[] {
  if (source_of_answers === 'released') {
    return ['', 'month'];
  }
  return combine === 'none' ? ['', ...grains] : ['', 'auto', ...grains];
}

/** Another metric keeps the dimensions and filters that it knows too, and begins with those that it needs. */
function begun(metrics: Metric[], name: string, before: MetricQuery): Partial<FalloffQuery> {
  const metric = metrics.find((candidate) => candidate.name === name);
  const known = (dimension: string) => metric?.splits.some((split) => split.name === dimension);
  const needed = (metric?.needed ?? []).filter(known);
  const by = [...needed, ...(before.by ?? []).filter((dimension) => known(dimension) && !needed.includes(dimension))];
  const needsTime = metric?.needed.some((dimension) => !known(dimension));
  const grains: Grain[] = metric ? grainsOf(metric) : [];
  const grain =
    before.grain && grains.includes(before.grain) ? before.grain : needsTime ? (metric?.grains[0] ?? '') : '';
  return {
    metric: {
      name,
      by: (metric?.source_of_answers === 'caseload' && known('staff_member') && by.length === 0
        ? ['staff_member']
        : by
      ).slice(0, MOST_SPLITS),
      grain,
      filters: (before.filters ?? []).filter(({ key }) => known(key)),
    },
  };
}
