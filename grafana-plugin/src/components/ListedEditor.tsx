import React from 'react';
import { InlineField, RadioButtonGroup, Stack, Text } from '@grafana/ui';

import { Choice, Definition } from '../types';
import { FormatField, LABEL, PartProps } from './fields';
import { chosen, Gone, withParameter } from './NamedEditor';
import { ParameterField } from './ParameterField';

interface View {
  query: string;
  label: string;
  description: string;
}

/** The questions about cohorts, each a named query. */
const COHORTS: View[] = [
  { query: 'retention_curve', label: 'Curves', description: 'The share not yet fallen off, by day' },
  { query: 'cohort_heatmap', label: 'Heat map', description: 'The share seen again, by month' },
  { query: 'retention_by_visit', label: 'By visit', description: 'The share that stops after each visit' },
  { query: 'outcomes', label: 'Outcomes', description: 'How episodes end, by day' },
  {
    query: 'falloff_summary',
    label: 'Side by side',
    description: 'One row for each practitioner, location or whatever else',
  },
];

/** What a cohort's parameters are called here, in their order. */
const COHORT_TITLES: Record<string, string> = {
  group: 'Cohort by',
  dimension: 'Cohort by',
  cohorts: 'Cohorts',
  definition: 'Falls off',
  days: 'Horizon, days',
  months: 'Horizon, months',
  visits: 'Horizon, visits',
  discipline: 'Discipline',
};

const LEAK_TITLES: Record<string, string> = {
  category: 'Category',
  state: 'State',
  minimum: 'At least',
  assignee: 'Assigned to',
  limit: 'Rows',
  certainty: 'Certainty',
  payer: 'Payer',
  staff_member: 'Practitioner',
  location: 'Location',
  discipline: 'Discipline',
};

/** The list that a parameter's values are out of. */
const LISTS: Record<string, string> = {
  category: 'category',
  discipline: 'discipline',
  location: 'location',
  payer: 'payer',
  staff_member: 'staff_member',
  assignee: 'staff_member',
};

type Props = PartProps & { catalogue: Definition[] };

/** How long patients stay: by cohort, definition and horizon. */
export function CohortEditor(props: Props) {
  const { query, change, catalogue } = props;
  const views = COHORTS.filter(({ query: name }) => catalogue.some((candidate) => candidate.name === name));
  return (
    <Stack direction="column" gap={0.5}>
      <InlineField label="Show" labelWidth={LABEL}>
        <RadioButtonGroup
          options={views.map(({ query: value, label, description }) => ({ value, label, description }))}
          value={query.query}
          onChange={(name) =>
            change({
              ...chosen(query, catalogue, name),
              // What is shown differs; of whom does not.
              params: keep(query.params, ['discipline']),
              format: name === 'cohort_heatmap' ? 'matrix' : name === 'falloff_summary' ? 'table' : 'series',
            })
          }
        />
      </InlineField>
      <Listed {...props} titles={COHORT_TITLES} />
    </Stack>
  );
}

/** Single leaks, the largest first. */
export function LeaksEditor(props: Props) {
  return <Listed {...props} titles={LEAK_TITLES} />;
}

function Listed({ datasource, query, clinic, change, catalogue, titles }: Props & { titles: Record<string, string> }) {
  const definition = catalogue.find((candidate) => candidate.name === query.query);
  if (!definition) {
    return query.query ? <Gone name={query.query} /> : null;
  }
  const order = Object.keys(titles);
  const parameters = definition.parameters
    .filter(({ name }) => name in titles)
    .sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  return (
    <Stack direction="column" gap={0.5}>
      <Stack direction="row" gap={0.5} wrap="wrap">
        {parameters.map((parameter) => (
          <ParameterField
            key={parameter.name}
            id={`falloff-${parameter.name}-${query.refId}`}
            labelWidth={LABEL}
            parameter={{ ...parameter, title: titles[parameter.name] }}
            value={query.params?.[parameter.name]}
            onChange={(value) => change({ params: withParameter(query.params, parameter.name, value) })}
            choices={
              clinic && parameter.name in LISTS
                ? () =>
                    datasource.getChoices(clinic, LISTS[parameter.name]).then((all) => choicesOf(parameter.name, all))
                : undefined
            }
          />
        ))}
        {definition.series && <FormatField query={query} change={change} />}
      </Stack>
      <Text color="secondary" variant="bodySmall">
        {definition.description}
      </Text>
    </Stack>
  );
}

/** Whoever may have a leak as a task: nobody, too. */
function choicesOf(name: string, all: Choice[]): Choice[] {
  return name === 'assignee' ? [...all.slice(0, 1), { text: 'Nobody', value: 'nobody' }, ...all.slice(1)] : all;
}

function keep(params: PartProps['query']['params'], names: string[]) {
  return Object.fromEntries(Object.entries(params ?? {}).filter(([name]) => names.includes(name)));
}
