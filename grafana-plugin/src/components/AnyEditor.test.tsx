import React from 'react';
import { fireEvent, render, screen } from '@testing-library/react';

import { DataSource } from '../datasource';
import { FalloffQuery } from '../types';
import { AnyEditor } from './AnyEditor';

function shown(query: Partial<FalloffQuery>) {
  const onChange = jest.fn();
  render(
    <AnyEditor
      datasource={{} as DataSource}
      query={{ refId: 'A', ...query }}
      onChange={onChange}
      onRunQuery={() => {}}
    />
  );
  return onChange;
}

describe('AnyEditor', () => {
  it('searches the audit log by person, action and entity', () => {
    const changed = shown({ desk: 'audit', params: { person: 'ben' } });
    expect(screen.getByLabelText('Who')).toHaveValue('ben');
    fireEvent.change(screen.getByLabelText('What was done'), { target: { value: 'setting.changed' } });
    expect(changed).toHaveBeenCalledWith({
      refId: 'A',
      desk: 'audit',
      params: { person: 'ben', action: 'setting.changed' },
    });
  });

  it('says what the others answer', () => {
    shown({ desk: 'support' });
    expect(screen.getByText(/Who of the vendor/)).toBeInTheDocument();
    shown({ desk: 'events' });
    expect(screen.getByLabelText(/Syncs/)).toBeChecked();
  });
});
