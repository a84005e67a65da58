import React from 'react';
import { fireEvent, render, screen, waitFor } from '@testing-library/react';

import { DeskSource, Grant } from '../desks';
import { SupportAccess } from './SupportAccess';

const GRANTS: Grant[] = [
  {
    session: 's2',
    login: 'sam',
    reason: 'ticket/4712',
    granted_by: 'mia',
    from: '2026-10-01T09:00:00Z',
    until: '2026-10-01T11:00:00Z',
    active: true,
    uses: 0,
  },
  {
    session: 's1',
    login: 'sue',
    reason: 'ticket/4711',
    granted_by: 'mia',
    from: '2026-09-01T09:00:00Z',
    until: '2026-09-01T11:00:00Z',
    active: false,
    ended: '2026-09-01T10:00:00Z',
    ended_by: 'olga',
    uses: 3,
  },
];

function source(permissions: string[], grants: Grant[]): jest.Mocked<DeskSource> {
  return {
    clinic: 'harbour-street',
    getResource: jest
      .fn()
      .mockImplementation(async (path: string) =>
        path === 'me' ? { person: 'mia', clinics: [{ clinic: 'harbour-street', permissions }] } : { grants }
      ),
    postResource: jest.fn().mockResolvedValue({}),
  } as unknown as jest.Mocked<DeskSource>;
}

beforeAll(() => {
  // Lists measure their text, and here nothing draws any.
  HTMLCanvasElement.prototype.getContext = (() => ({ measureText: () => ({ width: 40 }) })) as never;
});

describe('SupportAccess', () => {
  it('lists what goes on and what is over, why, and how long', async () => {
    render(<SupportAccess source={source(['support.view'], GRANTS)} />);
    expect(await screen.findByText('sam until 2026-10-01 11:00 UTC: ticket/4712, granted by mia')).toBeInTheDocument();
    expect(
      screen.getByText(/sue, ticket\/4711: .*10:00 UTC, granted by mia, ended by olga, 3 requests/)
    ).toBeInTheDocument();
    expect(screen.queryByRole('button')).not.toBeInTheDocument();
    expect(screen.getByText(/Changing this needs support.grant/)).toBeInTheDocument();
  });

  it('grants it for a reason and a time', async () => {
    const desk = source(['support.view', 'support.grant'], []);
    render(<SupportAccess source={desk} />);
    expect(await screen.findByText(/Nobody of the vendor's support/)).toBeInTheDocument();
    const grant = screen.getByRole('button', { name: 'Grant support access' });
    expect(grant).toBeDisabled();
    fireEvent.change(screen.getByLabelText('Their login'), { target: { value: 'sam' } });
    expect(grant).toBeDisabled();
    fireEvent.change(screen.getByLabelText(/Reason/), { target: { value: ' ticket/4711 ' } });
    fireEvent.click(grant);
    expect(await screen.findByText(/sam can see this clinic from now on/)).toBeInTheDocument();
    expect(desk.postResource).toHaveBeenCalledWith(
      'support',
      { clinic: 'harbour-street', login: 'sam', reason: 'ticket/4711', minutes: 120 },
      { showErrorAlert: false }
    );
  });

  it('ends it when that was confirmed', async () => {
    const desk = source(['support.view', 'support.revoke'], GRANTS);
    render(<SupportAccess source={desk} />);
    fireEvent.click(await screen.findByRole('button', { name: 'End it now' }));
    expect(desk.postResource).not.toHaveBeenCalled();
    const buttons = await screen.findAllByRole('button', { name: 'End it now' });
    fireEvent.click(buttons[buttons.length - 1]);
    await waitFor(() =>
      expect(desk.postResource).toHaveBeenCalledWith(
        'support/end',
        { clinic: 'harbour-street', session: 's2' },
        { showErrorAlert: false }
      )
    );
  });
});
