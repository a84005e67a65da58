import React, { ChangeEvent } from 'react';
import { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import {
  CollapsableSection,
  FieldSet,
  InlineField,
  InlineSwitch,
  Input,
  SecretInput,
  SecretTextArea,
} from '@grafana/ui';

import { FalloffOptions, FalloffSecrets } from '../types';
import { SavedClinic } from './SavedClinic';

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
          label="Plugin key"
          labelWidth={LABEL}
          interactive
          tooltip="The key that falloff token plugin-key prints. With it the plugin tells the query server who is signed in to Grafana; what each person sees is the access policy's decision."
        >
          <SecretInput
            id="falloff-plugin-key"
            width={WIDTH}
            required
            isConfigured={Boolean(secureJsonFields?.pluginKey)}
            value={secureJsonData?.pluginKey ?? ''}
            placeholder="fpk1_…"
            onReset={() => resetSecret('pluginKey')}
            onChange={(event: ChangeEvent<HTMLInputElement>) => setSecret({ pluginKey: event.target.value })}
          />
        </InlineField>
        <InlineField
          label="Second factor"
          labelWidth={LABEL}
          interactive
          tooltip="Switch it on only if nobody can sign in to this Grafana without a second factor: Grafana does not tell the plugin. The query server demands one unless its policy says otherwise."
        >
          <InlineSwitch
            id="falloff-second-factor"
            value={Boolean(jsonData.secondFactor)}
            onChange={(event) => setJson({ secondFactor: event.currentTarget.checked })}
          />
        </InlineField>
        <InlineField
          label="Service token"
          labelWidth={LABEL}
          interactive
          tooltip="For what runs while nobody is signed in, such as alert rules: falloff token issue. Empty: those are refused."
        >
          <SecretInput
            id="falloff-service-token"
            width={WIDTH}
            isConfigured={Boolean(secureJsonFields?.serviceToken)}
            value={secureJsonData?.serviceToken ?? ''}
            placeholder="fsv1_…"
            onReset={() => resetSecret('serviceToken')}
            onChange={(event: ChangeEvent<HTMLInputElement>) => setSecret({ serviceToken: event.target.value })}
          />
        </InlineField>
        <InlineField
          label="Clinic"
          labelWidth={LABEL}
          interactive
          tooltip="The one clinic that this data source may ask about. Empty: each query chooses one of those that its person may see."
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
      {Boolean(secureJsonFields?.pluginKey) && (
        <CollapsableSection label="The clinic's settings, as you may see and change them" isOpen={false}>
          <SavedClinic uid={options.uid} />
        </CollapsableSection>
      )}
    </>
  );
}
