import React, { FocusEvent } from 'react';
import { Combobox, InlineField, Input } from '@grafana/ui';

import { Choice, Parameter, ParameterValue } from '../types';
import { useLoaded } from './loaded';

interface Props {
  id: string;
  labelWidth: number;
  parameter: Parameter;
  /** undefined takes the default. */
  value?: ParameterValue;
  onChange: (value?: ParameterValue) => void;
  /** Where its values can be asked for; others may be typed all the same. */
  choices?: () => Promise<Choice[]>;
}

/** One parameter of a query: a list where the values are known, a box otherwise. A template variable fits into both. */
export function ParameterField({ id, labelWidth, parameter, value, onChange, choices }: Props) {
  const { title, description, type, allowed } = parameter;
  const shown = String(value ?? parameter.default);
  const known = useLoaded(
    choices && isCode(shown) ? parameter.name : undefined,
    () => choices?.() ?? Promise.resolve([])
  );
  return (
    <InlineField label={title} labelWidth={labelWidth} tooltip={hintOf(parameter)}>
      {choices ? (
        <Combobox
          id={id}
          aria-label={title}
          width={25}
          createCustomValue
          options={matching(choices)}
          value={{ value: shown, label: called(shown, known.value) }}
          onChange={(option) => onChange(option.value)}
        />
      ) : type === 'choice' ? (
        <Combobox
          id={id}
          aria-label={title}
          width={25}
          createCustomValue
          options={(allowed ?? []).map((choice) => ({ value: choice, label: words(choice) }))}
          value={shown}
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

/** Whether a value is a code rather than a name or a variable. */
export function isCode(value: string): boolean {
  return /^[a-z][a-z0-9_]*$/.test(value);
}

/** Codes as people read them; names and variables as they are. */
export function words(value: string): string {
  return isCode(value) ? value.charAt(0).toUpperCase() + value.slice(1).replaceAll('_', ' ') : value;
}

/** What people call a value: as it is among the choices, once they are known. */
export function called(value: string, choices?: Choice[]): string {
  return choices?.find((choice) => choice.value === value)?.text ?? words(value);
}

/** Those choices that what is typed is in. */
export function matching(choices: () => Promise<Choice[]>) {
  return async (typed: string) => {
    const all = await choices();
    const sought = typed.trim().toLowerCase();
    return all
      .filter(({ text }) => text.toLowerCase().includes(sought))
      .map(({ text, value }) => ({ value, label: text }));
  };
}
