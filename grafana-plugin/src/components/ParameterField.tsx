import React, { FocusEvent } from 'react';
import { Combobox, InlineField, Input } from '@grafana/ui';

import { Parameter, ParameterValue } from '../types';

interface Props {
  id: string;
  labelWidth: number;
  parameter: Parameter;
  /** undefined takes the default. */
  value?: ParameterValue;
  onChange: (value?: ParameterValue) => void;
}

/** One parameter of a query: a list where the values are known, a box otherwise. A template variable fits into both. */
export function ParameterField({ id, labelWidth, parameter, value, onChange }: Props) {
  const { title, description, type, allowed } = parameter;
  return (
    <InlineField label={title} labelWidth={labelWidth} tooltip={hintOf(parameter)}>
      {type === 'choice' ? (
        <Combobox
          id={id}
          aria-label={title}
          width={25}
          createCustomValue
          options={(allowed ?? []).map((choice) => ({ value: choice, label: choice.replaceAll('_', ' ') }))}
          value={String(value ?? parameter.default)}
          onChange={(option) => onChange(option.value)}
        />
      ) : (
        <Input
          // Another value from outside (undo, another question) replaces what was typed.
          key={String(value ?? '')}
          id={id}
          aria-label={title}
          width={25}
          title={description}
          defaultValue={value}
          placeholder={String(parameter.default)}
          onBlur={(event: FocusEvent<HTMLInputElement>) => {
            const typed = read(parameter, event.target.value);
            if (typed !== value) {
              onChange(typed);
            }
          }}
        />
      )}
    </InlineField>
  );
}

/** Whole numbers travel as numbers, so that saved dashboards read well; anything else as text, for the server to judge. */
function read(parameter: Parameter, text: string): ParameterValue | undefined {
  const trimmed = text.trim();
  if (trimmed === '') {
    return undefined;
  }
  return parameter.type === 'integer' && /^-?\d+$/.test(trimmed) ? Number(trimmed) : trimmed;
}

function hintOf({ type, description, min, max }: Parameter): string {
  return type === 'integer' ? `${description} (${min ?? 0} to ${max ?? 0})` : description;
}
