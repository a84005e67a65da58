import React from 'react';
import { fireEvent, render, screen, waitFor } from '@testing-library/react';

import { DeskSource, Settings } from '../desks';
import { ClinicSettings } from './ClinicSettings';

const SETTINGS: Settings = {
  clinic: 'harbour-street',
  name: 'Harbour Street',
  time_zone: 'America/Toronto',
  currency: 'CAD',
  quiet_hours: '08:00-18:00',
  stale_after_days: 2,
  identity_mode: 'privacy',
  extraction: { state: 'ok', paused: false, running: false, last_run: '2026-10-01T06:30:00Z' },
  agreement: {
    accepted: true,
    version: 1,
    accepted_version: 1,
    accepted_at: '2026-09-01T10:00:00Z',
    signer: 'Olga Own',
  },
  synced: [
    { dataset: 'invoice_lines', rows: 7593, covered_to: '2026-09-30', days_behind: 0 },
    { dataset: 'payer_mix', rows: 12, observed_on: '2026-09-23', days_behind: 7 },
    { dataset: 'insurers', rows: 6 },
  ],
};
const ALL = ['settings.view', 'settings.change', 'extraction.view', 'extraction.pause', 'extraction.resume'];

function source(permissions: string[], settings: Settings, refusal?: string, bound = true): jest.Mocked<DeskSource> {
  return {
    clinic: bound ? 'harbour-street' : undefined,
    getResource: jest.fn().mockImplementation(async (path: string) =>
      path === 'me'
        ? {
            person: 'mia',
            clinics: [
              { clinic: 'harbour-street', permissions },
              ...(bound ? [] : [{ clinic: 'second-clinic', permissions }]),
            ],
          }
        : settings
    ),
    postResource: jest.fn().mockImplementation(async () => {
      if (refusal) {
        throw { status: 400, data: { message: refusal } };
      }
      return settings;
    }),
  } as unknown as jest.Mocked<DeskSource>;
}

beforeAll(() => {
  // Lists measure their text, and here nothing draws any.
  HTMLCanvasElement.prototype.getContext = (() => ({ measureText: () => ({ width: 40 }) })) as never;
});

describe('ClinicSettings', () => {
  it('shows what is set, and the last good data of each dataset', async () => {
    render(<ClinicSettings source={source(ALL, SETTINGS)} />);
    expect(await screen.findByDisplayValue('08:00-18:00')).toBeInTheDocument();
    expect(screen.getByText(/Privacy: nobody is known/)).toBeInTheDocument();
    expect(screen.getByText(/Version 1 was accepted 2026-09-01 10:00 UTC by Olga Own/)).toBeInTheDocument();
    expect(screen.getByRole('cell', { name: 'invoice lines' })).toBeInTheDocument();
    expect(screen.getByText('7 days: stale')).toBeInTheDocument();
    expect(screen.getAllByText('–')).toHaveLength(2); // what covers no days is not behind
  });

  it('sends what was changed and nothing else, and says that it is done', async () => {
    const desk = source(ALL, SETTINGS);
    render(<ClinicSettings source={desk} />);
    const hours = await screen.findByLabelText('Quiet hours');
    expect(screen.getByRole('button', { name: 'Save quiet hours' })).toBeDisabled();
    fireEvent.change(hours, { target: { value: ' 07:00-20:00 ' } });
    fireEvent.click(screen.getByRole('button', { name: 'Save quiet hours' }));
    expect(await screen.findByText('The quiet hours are saved.')).toBeInTheDocument();
    expect(desk.postResource).toHaveBeenCalledWith(
      'settings',
      { clinic: 'harbour-street', quiet_hours: '07:00-20:00' },
      { showErrorAlert: false }
    );
    fireEvent.change(screen.getByLabelText('Stale after days'), { target: { value: '5' } });
    fireEvent.click(screen.getByRole('button', { name: 'Save days' }));
    await waitFor(() =>
      expect(desk.postResource).toHaveBeenLastCalledWith(
        'settings',
        { clinic: 'harbour-street', stale_after_days: 5 },
        { showErrorAlert: false }
      )
    );
  });

  it('tells a refusal in the words of the server', async () => {
    render(<ClinicSettings source={source(ALL, SETTINGS, 'These are no hours. Write them as 07:00-20:00.')} />);
    fireEvent.change(await screen.findByLabelText('Quiet hours'), { target: { value: 'always' } });
    fireEvent.click(screen.getByRole('button', { name: 'Save quiet hours' }));
    expect(await screen.findByText('These are no hours. Write them as 07:00-20:00.')).toBeInTheDocument();
    expect(screen.getByText('That was refused, and nothing changed')).toBeInTheDocument();
  });

  it('pauses only when that was confirmed', async () => {
    const desk = source(ALL, SETTINGS);
    render(<ClinicSettings source={desk} />);
    fireEvent.click(await screen.findByRole('button', { name: 'Pause reading' }));
    expect(desk.postResource).not.toHaveBeenCalled();
    const buttons = await screen.findAllByRole('button', { name: 'Pause reading' });
    fireEvent.click(buttons[buttons.length - 1]);
    await waitFor(() =>
      expect(desk.postResource).toHaveBeenCalledWith(
        'settings',
        { clinic: 'harbour-street', paused: true },
        { showErrorAlert: false }
      )
    );
  });

  it('resumes at once', async () => {
    const paused = source(ALL, { ...SETTINGS, extraction: { state: 'paused', paused: true, running: false } });
    render(<ClinicSettings source={paused} />);
    fireEvent.click(await screen.findByRole('button', { name: 'Resume reading' }));
    await waitFor(() =>
      expect(paused.postResource).toHaveBeenCalledWith(
        'settings',
        { clinic: 'harbour-street', paused: false },
        { showErrorAlert: false }
      )
    );
  });

  it('says what it takes to change what one may only see, and what one may not see', async () => {
    const { identity_mode: _, extraction: __, agreement: ___, ...less } = SETTINGS;
    render(<ClinicSettings source={source(['settings.view'], less)} />);
    expect(await screen.findByLabelText('Quiet hours')).toBeDisabled();
    expect(screen.queryByRole('button')).not.toBeInTheDocument();
    expect(screen.getByText(/Changing this needs settings.change/)).toBeInTheDocument();
    for (const permission of ['identities.view', 'extraction.view', 'agreement.view']) {
      expect(screen.getByText(new RegExp(`Seeing this needs ${permission}`))).toBeInTheDocument();
    }
  });

  it('says why nothing is shown, and does not ask for what may not be seen', async () => {
    const desk = source([], SETTINGS);
    render(<ClinicSettings source={desk} />);
    expect(await screen.findByText(/It needs settings.view at this clinic/)).toBeInTheDocument();
    expect(desk.getResource).toHaveBeenCalledTimes(1);
  });

  it('tells in the words of the server why it did not answer', async () => {
    const desk = source(ALL, SETTINGS);
    desk.getResource.mockRejectedValue({ status: 502, data: { message: 'Nothing listens at the address.' } });
    render(<ClinicSettings source={desk} />);
    expect(await screen.findByText('Nothing listens at the address.')).toBeInTheDocument();
  });

  it('asks about the first of several clinics where the data source is bound to none', async () => {
    const desk = source(ALL, SETTINGS, undefined, false);
    render(<ClinicSettings source={desk} />);
    expect(await screen.findByLabelText('Clinic')).toBeInTheDocument();
    expect(desk.getResource).toHaveBeenCalledWith('settings', { clinic: 'harbour-street' });
  });
});
