import React from 'react';
import { QueryEditorProps } from '@grafana/data';
import { Combobox, InlineField, InlineSwitch, Stack, Text } from '@grafana/ui';

import type { DataSource } from '../datasource';
import { FalloffOptions, FalloffQuery, VariableList, VariableQuery } from '../types';
import { ClinicField, LABEL } from './fields';
import { QueryEditor } from './QueryEditor';

type Props = QueryEditorProps<DataSource, FalloffQuery, FalloffOptions, VariableQuery>;

const QUERY = 'query';
const LISTS: Array<{ value: VariableList | typeof QUERY; label: string; description: string }> = [
  { value: 'clinic', label: 'Clinics', description: 'Those that you may see' },
  { value: 'location', label: 'Locations', description: 'Of the clinic' },
  { value: 'discipline', label: 'Disciplines', description: 'As the clinic calls them' },
  { value: 'staff_member', label: 'Practitioners', description: 'By name or pseudonym, as the clinic chose' },
  { value: 'payer', label: 'Payers', description: 'Insurers, and who else pays' },
  { value: 'category', label: 'Categories of leaks', description: 'Of the ledger' },
  { value: QUERY, label: 'A query', description: 'Any with columns called text and value' },
];

/** What a dashboard's variable chooses from. */
export function VariableEditor({ datasource, query, onChange, onRunQuery, ...props }: Props) {
  const asked: VariableQuery = { ...query, refId: query.refId ?? 'variable' };
  const change = (part: Partial<VariableQuery>) => onChange({ ...asked, ...part });
  const list = asked.list ?? QUERY;
  return (
    <Stack direction="column" gap={0.5}>
      <Stack direction="row" gap={0.5} wrap="wrap">
        <InlineField label="Values" labelWidth={LABEL}>
          <Combobox
            id="falloff-variable-list"
            aria-label="Values"
            width={30}
            options={LISTS}
            value={list}
            onChange={({ value }) =>
              change(
                value === QUERY
                  ? { list: undefined, withoutAll: undefined, query: 'disciplines', params: {}, format: 'table' }
                  : { list: value, query: undefined, params: undefined, format: undefined }
              )
            }
          />
        </InlineField>
        {list !== QUERY && list !== 'clinic' && !datasource.clinic && (
          <ClinicField datasource={datasource} query={asked} change={change} />
        )}
        {list !== QUERY && list !== 'clinic' && (
          <InlineField
            label="Without “all”"
            tooltip="Leave out the value all. Switch it on where several values may be chosen: Grafana has a choice of all of its own then."
          >
            <InlineSwitch
              id="falloff-variable-without-all"
              aria-label="Without all"
              value={Boolean(asked.withoutAll)}
              onChange={(event) => change({ withoutAll: event.currentTarget.checked })}
            />
          </InlineField>
        )}
      </Stack>
      {list === QUERY ? (
        <QueryEditor {...props} datasource={datasource} query={asked} onChange={onChange} onRunQuery={onRunQuery} />
      ) : (
        <Text color="secondary" variant="bodySmall">
          {list === 'clinic'
            ? 'The value is the clinic’s id, which queries take where the data source is bound to none.'
            : 'The value “all” narrows nothing; in SQL it is a text like any other.'}
        </Text>
      )}
    </Stack>
  );
}
