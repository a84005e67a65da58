import React, { ChangeEvent } from 'react';
import { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { FieldSet, InlineField, InlineSwitch, Input, SecretInput, SecretTextArea } from '@grafana/ui';

import { FalloffOptions, FalloffSecrets } from '../types';

interface Props extends DataSourcePluginOptionsEditorProps<FalloffOptions, FalloffSecrets> {}

const LABEL = 20;
const WIDTH = 48;

export function ConfigEditor({ options, onOptionsChange }: Props) {
  const { jsonData, secureJsonData, secureJsonFields } = options;

  const setJson = (change: Partial<FalloffOptions>) => {
    onOptionsChange({ ...options, jsonData: { ...jsonData, ...change } });
  };
  const setSecret = (change: FalloffSecrets) => {
    onOptionsChange({ ...options, secureJsonData: { ...secureJsonData, ...change } });
  };
  const resetSecret = (name: keyof FalloffSecrets) => {
    onOptionsChange({
      ...options,
      secureJsonFields: { ...secureJsonFields, [name]: false },
      secureJsonData: { ...secureJsonData, [name]: '' },
    });
  };

  return (
    <>
      <FieldSet label="Query server">
        <InlineField
          label="URL"
          labelWidth={LABEL}
          interactive
          tooltip="Where falloff serve listens. Plain http:// is for this machine only; anything else needs https://."
        >
          <Input
            id="falloff-url"
            width={WIDTH}
            required
            value={options.url}
            placeholder="http://127.0.0.1:8750"
            onChange={(event: ChangeEvent<HTMLInputElement>) =>
              onOptionsChange({ ...options, url: event.target.value.trim() })
            }
          />
        </InlineField>
        <InlineField
          label="Token"
          labelWidth={LABEL}
          interactive
          tooltip="The token that falloff serve was started with."
        >
          <SecretInput
            id="falloff-token"
            width={WIDTH}
            required
            isConfigured={Boolean(secureJsonFields?.token)}
            value={secureJsonData?.token ?? ''}
            placeholder="Token"
            onReset={() => resetSecret('token')}
            onChange={(event: ChangeEvent<HTMLInputElement>) => setSecret({ token: event.target.value })}
          />
        </InlineField>
        <InlineField
          label="Clinic"
          labelWidth={LABEL}
          interactive
          tooltip="The one clinic that this data source may ask about. Empty: each query chooses, and everyone who may query this data source sees every clinic."
        >
          <Input
            id="falloff-clinic"
            width={WIDTH}
            value={jsonData.clinic ?? ''}
            placeholder="harbour-street"
            onChange={(event: ChangeEvent<HTMLInputElement>) => setJson({ clinic: event.target.value.trim() })}
          />
        </InlineField>
      </FieldSet>
      <FieldSet label="TLS">
        <InlineField
          label="Own authority"
          labelWidth={LABEL}
          interactive
          tooltip="For a query server whose certificate no public authority has signed. TLS 1.3 is always demanded."
        >
          <InlineSwitch
            id="falloff-own-authority"
            value={Boolean(jsonData.tlsAuthWithCACert)}
            onChange={(event) => setJson({ tlsAuthWithCACert: event.currentTarget.checked })}
          />
        </InlineField>
        {jsonData.tlsAuthWithCACert && (
          <>
            <InlineField
              label="CA certificate"
              labelWidth={LABEL}
              interactive
              tooltip="The authority's certificate, PEM."
            >
              <SecretTextArea
                id="falloff-ca-certificate"
                cols={60}
                rows={6}
                isConfigured={Boolean(secureJsonFields?.tlsCACert)}
                value={secureJsonData?.tlsCACert ?? ''}
                placeholder="-----BEGIN CERTIFICATE-----"
                onReset={() => resetSecret('tlsCACert')}
                onChange={(event) => setSecret({ tlsCACert: event.currentTarget.value })}
              />
            </InlineField>
            <InlineField
              label="Server name"
              labelWidth={LABEL}
              interactive
              tooltip="The name in the certificate, where it is not the URL's host."
            >
              <Input
                id="falloff-server-name"
                width={WIDTH}
                value={jsonData.serverName ?? ''}
                onChange={(event: ChangeEvent<HTMLInputElement>) => setJson({ serverName: event.target.value.trim() })}
              />
            </InlineField>
          </>
        )}
      </FieldSet>
    </>
  );
}
