import React from 'react';
import { QueryEditorProps } from '@grafana/data';
import { InlineField, Input, Stack, Text } from '@grafana/ui';

import { DataSource } from '../datasource';
import { Desk, FalloffOptions, FalloffQuery } from '../types';
import { EventsEditor } from './EventsEditor';
import { QueryEditor } from './QueryEditor';

type Props = QueryEditorProps<DataSource, FalloffQuery, FalloffOptions>;

const SAYS: Record<Exclude<Desk, 'events'>, string> = {
  audit: 'Who did what, within the time range, the newest first: for those who may search the audit log.',
  support: 'Who of the vendor’s support could see the clinic, why, and how long: for those who may see it.',
  banner: 'A sentence about support access that goes on, empty while none does, for a variable.',
};
const SEARCHES = [
  { name: 'person', label: 'Who' },
  { name: 'action', label: 'What was done' },
  { name: 'entity', label: 'To what' },
];

/** The editor of a question, or of what the query server answers beside figures. */
export function AnyEditor(props: Props) {
  const { query, onChange, onRunQuery } = props;
  if (!query.desk) {
    return <QueryEditor {...props} />;
  }
  if (query.desk === 'events') {
    return <EventsEditor {...props} />;
  }
  return (
    <Stack direction="column" gap={0.5}>
      {query.desk === 'audit' && (
        <Stack direction="row" gap={0.5} wrap="wrap">
          {SEARCHES.map(({ name, label }) => (
            <InlineField key={name} label={label} labelWidth={16}>
              <Input
                id={`falloff-${name}-${query.refId}`}
                aria-label={label}
                width={30}
                value={query.params?.[name] ?? ''}
                placeholder="all"
                onChange={(event) =>
                  onChange({ ...query, params: { ...query.params, [name]: event.currentTarget.value } })
                }
                onBlur={onRunQuery}
              />
            </InlineField>
          ))}
        </Stack>
      )}
      <Text color="secondary" variant="bodySmall">
        {SAYS[query.desk]}
      </Text>
    </Stack>
  );
}
