import React from 'react';
import { QueryEditorProps } from '@grafana/data';
import { Checkbox, Stack } from '@grafana/ui';

import { EVENT_KINDS } from '../annotations';
import { DataSource } from '../datasource';
import { EventKind, FalloffOptions, FalloffQuery } from '../types';

type Props = QueryEditorProps<DataSource, FalloffQuery, FalloffOptions>;

/** Chooses which events charts mark. None chosen is all of them. */
export function EventsEditor({ query, onChange, onRunQuery }: Props) {
  const chosen = query.kinds?.length ? query.kinds : EVENT_KINDS.map(({ value }) => value);
  const toggle = (kind: EventKind, on: boolean) => {
    const kinds = EVENT_KINDS.map(({ value }) => value).filter((value) =>
      value === kind ? on : chosen.includes(value)
    );
    if (kinds.length > 0) {
      onChange({ ...query, desk: 'events', kinds });
      onRunQuery?.();
    }
  };
  return (
    <Stack direction="column" gap={1}>
      {EVENT_KINDS.map(({ value, label, description }) => (
        <Checkbox
          key={value}
          label={label}
          description={description}
          value={chosen.includes(value)}
          onChange={(event) => toggle(value, event.currentTarget.checked)}
        />
      ))}
    </Stack>
  );
}
