import React from 'react';
import { DataSourceSettings } from '@grafana/data';
import { fireEvent, render, screen } from '@testing-library/react';

import { FalloffOptions, FalloffSecrets } from '../types';
import { ConfigEditor } from './ConfigEditor';

type Settings = DataSourceSettings<FalloffOptions, FalloffSecrets>;

function settings(part: Partial<Settings> = {}): Settings {
  return {
    id: 1,
    uid: 'falloff',
    orgId: 1,
    name: 'Falloff',
    typeLogoUrl: '',
    type: 'falloff-falloff-datasource',
    typeName: 'Falloff',
    access: 'proxy',
    url: '',
    user: '',
    basicAuth: false,
    basicAuthUser: '',
    isDefault: false,
    jsonData: {},
    secureJsonFields: {},
    readOnly: false,
    withCredentials: false,
    ...part,
  } as Settings;
}

function shown(options: Settings) {
  const onOptionsChange = jest.fn<void, [Settings]>();
  render(<ConfigEditor options={options} onOptionsChange={onOptionsChange} />);
  return onOptionsChange;
}

describe('ConfigEditor', () => {
  it('takes the URL, without the spaces that copying brings along', () => {
    const changed = shown(settings());
    fireEvent.change(screen.getByLabelText('URL'), { target: { value: ' https://falloff.example:8750 ' } });
    expect(changed).toHaveBeenCalledWith(expect.objectContaining({ url: 'https://falloff.example:8750' }));
  });

  it('keeps the key out of what the browser gets back', () => {
    const changed = shown(settings());
    fireEvent.change(screen.getByLabelText('Plugin key'), { target: { value: 'secret' } });
    const options = changed.mock.calls[0][0];
    expect(options.secureJsonData).toEqual({ pluginKey: 'secret' });
    expect(JSON.stringify(options.jsonData)).not.toContain('secret');
  });

  it('lets go of a key that is set, and of that alone', () => {
    const changed = shown(
      settings({ secureJsonFields: { pluginKey: true, tlsCACert: true }, jsonData: { tlsAuthWithCACert: true } })
    );
    fireEvent.click(screen.getAllByRole('button', { name: 'Reset' })[0]);
    expect(changed.mock.calls[0][0].secureJsonFields).toEqual({ pluginKey: false, tlsCACert: true });
  });

  it('binds the data source to a clinic', () => {
    const changed = shown(settings({ jsonData: { serverName: 'kept' } }));
    fireEvent.change(screen.getByLabelText('Clinic'), { target: { value: 'harbour-street' } });
    expect(changed.mock.calls[0][0].jsonData).toEqual({ clinic: 'harbour-street', serverName: 'kept' });
  });

  it('asks for an authority only where it is wanted', () => {
    const changed = shown(settings());
    expect(screen.queryByLabelText('CA certificate')).not.toBeInTheDocument();
    fireEvent.click(screen.getByLabelText('Own authority'));
    expect(changed.mock.calls[0][0].jsonData).toEqual({ tlsAuthWithCACert: true });
  });

  it('takes an authority and a server name', () => {
    const changed = shown(settings({ jsonData: { tlsAuthWithCACert: true } }));
    fireEvent.change(screen.getByLabelText('CA certificate'), { target: { value: '-----BEGIN' } });
    expect(changed.mock.calls[0][0].secureJsonData).toEqual({ tlsCACert: '-----BEGIN' });
    fireEvent.change(screen.getByLabelText('Server name'), { target: { value: 'falloff.example' } });
    expect(changed.mock.calls[1][0].jsonData).toEqual({ tlsAuthWithCACert: true, serverName: 'falloff.example' });
  });
});
