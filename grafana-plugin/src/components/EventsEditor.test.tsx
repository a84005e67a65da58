import React from 'react';
import { fireEvent, render, screen } from '@testing-library/react';

import { eventAnnotations } from '../annotations';
import { DataSource } from '../datasource';
import { FalloffQuery } from '../types';
import { EventsEditor } from './EventsEditor';

function shown(query: Partial<FalloffQuery>) {
  const onChange = jest.fn();
  render(
    <EventsEditor
      datasource={{} as DataSource}
      query={{ refId: 'Anno', desk: 'events', ...query }}
      onChange={onChange}
      onRunQuery={() => {}}
    />
  );
  return onChange;
}

describe('EventsEditor', () => {
  it('marks what is chosen', () => {
    const changed = shown({ kinds: ['sync'] });
    expect(screen.getByLabelText(/Syncs/)).toBeChecked();
    expect(screen.getByLabelText(/Support access/)).not.toBeChecked();
    fireEvent.click(screen.getByLabelText(/Support access/));
    expect(changed).toHaveBeenCalledWith(expect.objectContaining({ desk: 'events', kinds: ['sync', 'support'] }));
  });

  it('takes none for all, and does not let the last one go', () => {
    const changed = shown({});
    fireEvent.click(screen.getByLabelText(/Prices/));
    expect(changed).toHaveBeenCalledWith(expect.objectContaining({ kinds: ['sync', 'setting', 'support'] }));
  });

  it('keeps at least one', () => {
    const changed = shown({ kinds: ['price'] });
    fireEvent.click(screen.getByLabelText(/Prices/));
    expect(changed).not.toHaveBeenCalled();
  });
});

describe('annotations', () => {
  it('ask for events, whatever else is stored with them', () => {
    const asked = eventAnnotations.prepareQuery?.({
      name: 'Prices',
      enable: true,
      iconColor: 'red',
      target: { refId: 'Anno', query: 'leak_total', kinds: ['price'] },
    });
    expect(asked).toEqual({ refId: 'Anno', desk: 'events', kinds: ['price'], clinic: undefined });
    expect(eventAnnotations.prepareQuery?.({ name: 'New', enable: true, iconColor: 'red' })?.desk).toBe('events');
  });
});
