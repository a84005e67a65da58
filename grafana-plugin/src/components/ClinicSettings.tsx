import React, { ReactNode, useState } from 'react';
import { Alert, Button, Combobox, ConfirmModal, Field, Input, LoadingPlaceholder, Stack, Text } from '@grafana/ui';

import { DeskSource, moment, Settings, SettingsChange, Synced } from '../desks';
import { Matter, useClinic } from './useClinic';

const STATES: Record<string, string> = {
  ok: 'Going on',
  paused: 'Paused',
};
const MODES: Record<string, string> = {
  privacy: 'Privacy: nobody is known by more than a pseudonym.',
  recovery: 'Recovery: first names are kept, and shown to those who may reveal them.',
};

/** A clinic's settings: read, and changed by those who may. The server decides; what it refuses is told in its words. */
export function ClinicSettings({ source }: { source: DeskSource }) {
  const matter = useClinic<Settings>(source, 'settings');
  const { shown, refused, may, change, busy } = matter;
  const [kept, setTyped] = useState<{ of?: Settings; hours?: string; days?: string }>({});
  const [asking, setAsking] = useState(false);

  if (refused) {
    return (
      <Alert data-falloff-shown="refused" title="The clinic's settings are not shown" severity="info">
        {refused}
      </Alert>
    );
  }
  if (!shown) {
    return <LoadingPlaceholder text="Reading the clinic's settings…" />;
  }
  const mayChange = may('settings.change');
  const save = (body: SettingsChange, done: string) => change('settings', body, done);
  const paused = shown.extraction?.paused;
  // What was typed goes when the settings were read again.
  const typed = kept.of === shown ? kept : {};
  const hours = typed.hours ?? shown.quiet_hours;
  const days = typed.days ?? String(shown.stale_after_days);

  return (
    <div data-falloff-shown="settings">
      <Stack direction="column" gap={2}>
        <Choice matter={matter} />
        <Outcome matter={matter} />
        <div
          style={{ display: 'grid', gridTemplateColumns: 'repeat(auto-fit, minmax(min(320px, 100%), 1fr))', gap: 24 }}
        >
          <Block title="Reading of the portal">
            {shown.extraction ? (
              <>
                <Text>
                  {paused ? 'Paused: nothing is read.' : (STATES[shown.extraction.state] ?? shown.extraction.state)}
                  {shown.extraction.running && ' A run is at work just now.'}
                </Text>
                <Text color="secondary" variant="bodySmall">
                  {shown.extraction.last_run
                    ? `The last run ended ${moment(shown.extraction.last_run)}${shown.extraction.cause ? `: ${shown.extraction.cause.replaceAll('_', ' ')}` : ''}.`
                    : 'There has been no run yet.'}{' '}
                  {shown.extraction.todo}
                </Text>
                {may(paused ? 'extraction.resume' : 'extraction.pause') ? (
                  <div>
                    <Button
                      size="sm"
                      variant={paused ? 'primary' : 'secondary'}
                      icon={paused ? 'play' : 'pause'}
                      disabled={busy}
                      onClick={() =>
                        paused ? save({ paused: false }, 'Reading goes on with the next run.') : setAsking(true)
                      }
                    >
                      {paused ? 'Resume reading' : 'Pause reading'}
                    </Button>
                  </div>
                ) : (
                  <Needs permission={paused ? 'extraction.resume' : 'extraction.pause'} />
                )}
              </>
            ) : (
              <Needs permission="extraction.view" verb="See" />
            )}
          </Block>
          <Block title="Quiet hours">
            <Field
              noMargin
              label="Nothing is read from the portal between"
              description={`HH:MM-HH:MM in ${shown.time_zone}. Empty: no quiet hours of the clinic's own.`}
              disabled={!mayChange || busy}
            >
              <Stack direction="row" gap={1} wrap="wrap">
                <Input
                  id="falloff-quiet-hours"
                  aria-label="Quiet hours"
                  width={20}
                  value={hours}
                  placeholder="08:00-18:00"
                  disabled={!mayChange || busy}
                  onChange={(event) => setTyped({ ...typed, of: shown, hours: event.currentTarget.value })}
                />
                {mayChange && (
                  <Button
                    variant="secondary"
                    disabled={busy || hours.trim() === shown.quiet_hours}
                    onClick={() => save({ quiet_hours: hours.trim() }, 'The quiet hours are saved.')}
                  >
                    Save quiet hours
                  </Button>
                )}
              </Stack>
            </Field>
            {!mayChange && <Needs permission="settings.change" />}
          </Block>
          <Block title="Freshness">
            <Field
              noMargin
              label="Data counts as stale after"
              description="Days that a dataset may be behind. 0: the usual 2."
              disabled={!mayChange || busy}
            >
              <Stack direction="row" gap={1}>
                <Input
                  id="falloff-stale-after"
                  aria-label="Stale after days"
                  type="number"
                  min={0}
                  max={60}
                  width={12}
                  suffix="days"
                  value={days}
                  disabled={!mayChange || busy}
                  onChange={(event) => setTyped({ ...typed, of: shown, days: event.currentTarget.value })}
                />
                {mayChange && (
                  <Button
                    variant="secondary"
                    disabled={busy || !/^\d+$/.test(days) || Number(days) === shown.stale_after_days}
                    onClick={() => save({ stale_after_days: Number(days) }, 'The days are saved.')}
                  >
                    Save days
                  </Button>
                )}
              </Stack>
            </Field>
          </Block>
          <Block title="Identity mode">
            {shown.identity_mode ? (
              <>
                <Text>{MODES[shown.identity_mode] ?? shown.identity_mode}</Text>
                <Text color="secondary" variant="bodySmall">
                  It is changed where the clinic&apos;s keys are: falloff identity-mode.
                </Text>
              </>
            ) : (
              <Needs permission="identities.view" verb="See" />
            )}
          </Block>
          <Block title="Agreement">
            {shown.agreement ? (
              <Text>
                {shown.agreement.accepted
                  ? `Version ${shown.agreement.version} was accepted ${moment(shown.agreement.accepted_at)}${shown.agreement.signer ? ` by ${shown.agreement.signer}` : ''}.`
                  : shown.agreement.accepted_version > 0
                    ? `Version ${shown.agreement.accepted_version} was accepted; version ${shown.agreement.version} is not yet. Nothing is read until it is: falloff agreement accept.`
                    : 'It is not accepted yet. Nothing is read from the portal until it is: falloff agreement accept.'}
              </Text>
            ) : (
              <Needs permission="agreement.view" verb="See" />
            )}
          </Block>
        </div>
        {shown.synced && <WhatWasSynced synced={shown.synced} staleAfter={shown.stale_after_days} />}
        <ConfirmModal
          isOpen={asking}
          title="Pause reading of the portal"
          body="Nothing more is read from the portal, on any machine, until somebody resumes it. The figures stay as they are and grow older."
          confirmText="Pause reading"
          onConfirm={() => {
            setAsking(false);
            save({ paused: true }, 'Reading is paused.');
          }}
          onDismiss={() => setAsking(false)}
        />
      </Stack>
    </div>
  );
}

/** The last good data of each dataset. */
function WhatWasSynced({ synced, staleAfter }: { synced: Synced[]; staleAfter: number }) {
  return (
    <Block title="What was synced: the last good data of each dataset">
      <table style={{ borderSpacing: '0', maxWidth: 640 }}>
        <thead>
          <tr>
            {['Dataset', 'Rows', 'Good up to', 'Behind'].map((title) => (
              <th
                key={title}
                scope="col"
                style={{ textAlign: title === 'Rows' ? 'right' : 'left', padding: '2px 16px 2px 0' }}
              >
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {synced.map((one) => (
            <tr key={one.dataset}>
              <td style={{ padding: '2px 16px 2px 0' }}>{one.dataset.replaceAll('_', ' ')}</td>
              <td style={{ padding: '2px 16px 2px 0', textAlign: 'right' }}>{one.rows.toLocaleString('en')}</td>
              <td style={{ padding: '2px 16px 2px 0' }}>{one.covered_to || one.observed_on || '–'}</td>
              <td style={{ padding: '2px 16px 2px 0' }}>
                {one.days_behind === undefined ? (
                  '–'
                ) : one.days_behind > staleAfter ? (
                  <strong>{`${one.days_behind} days: stale`}</strong>
                ) : (
                  `${one.days_behind} days`
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Block>
  );
}

/** Where the data source is bound to no clinic, one is chosen here. */
export function Choice<T>({ matter }: { matter: Matter<T> }) {
  if (matter.clinics.length < 2) {
    return null;
  }
  return (
    <Field noMargin label="Clinic" htmlFor="falloff-settings-clinic">
      <Combobox
        id="falloff-settings-clinic"
        width={40}
        options={matter.clinics.map((value) => ({ value }))}
        value={matter.clinic ?? null}
        onChange={({ value }) => matter.choose(value)}
      />
    </Field>
  );
}

/** How the last change went: a refusal is told in the server's words. */
export function Outcome<T>({ matter }: { matter: Matter<T> }) {
  if (matter.failure) {
    return (
      <Alert title="That was refused, and nothing changed" severity="error" bottomSpacing={0}>
        {matter.failure}
      </Alert>
    );
  }
  return matter.done ? <Alert title={matter.done} severity="success" bottomSpacing={0} /> : null;
}

export function Block({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section style={{ minWidth: 0 }}>
      <Stack direction="column" gap={1}>
        <Text element="h4" variant="h5">
          {title}
        </Text>
        {children}
      </Stack>
    </section>
  );
}

export function Needs({ permission, verb = 'Change' }: { permission: string; verb?: string }) {
  return (
    <Text color="secondary" variant="bodySmall">
      {`${verb === 'See' ? 'Seeing' : 'Changing'} this needs ${permission}: ask whoever keeps the access policy.`}
    </Text>
  );
}
