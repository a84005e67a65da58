import React, { useState } from 'react';
import { Alert, Button, Combobox, ConfirmModal, Field, Input, LoadingPlaceholder, Stack, Text } from '@grafana/ui';

import { DeskSource, Grant, moment } from '../desks';
import { Block, Choice, Needs, Outcome } from './ClinicSettings';
import { useClinic } from './useClinic';

const DURATIONS = [
  { value: 30, label: '30 minutes' },
  { value: 60, label: '1 hour' },
  { value: 120, label: '2 hours' },
  { value: 480, label: '8 hours' },
  { value: 1440, label: '1 day' },
  { value: 4320, label: '3 days' },
];

/** Who of the vendor's support may see the clinic, why and how long: granted, ended and listed by those who may. */
export function SupportAccess({ source }: { source: DeskSource }) {
  const matter = useClinic<{ grants: Grant[] }>(source, 'support');
  const { shown, refused, may, change, busy } = matter;
  const [login, setLogin] = useState('');
  const [reason, setReason] = useState('');
  const [minutes, setMinutes] = useState(120);
  const [ending, setEnding] = useState<Grant>();

  if (refused) {
    return (
      <Alert data-falloff-shown="refused" title="Support access is not shown" severity="info">
        {refused}
      </Alert>
    );
  }
  if (!shown) {
    return <LoadingPlaceholder text="Reading who has support access…" />;
  }
  const active = shown.grants.filter((grant) => grant.active);
  const over = shown.grants.filter((grant) => !grant.active);
  const grant = async () => {
    const body = { login: login.trim(), reason: reason.trim(), minutes };
    if (await change('support', body, `${body.login} can see this clinic from now on. Everybody here is told so.`)) {
      setLogin('');
      setReason('');
    }
  };

  return (
    <div data-falloff-shown="support">
      <Stack direction="column" gap={2}>
        <Choice matter={matter} />
        <Outcome matter={matter} />
        <Block title="Going on">
          {active.length === 0 && <Text>Nobody of the vendor&apos;s support can see this clinic.</Text>}
          {active.map((one) => (
            <Stack key={one.session} direction="row" gap={2} alignItems="center" wrap="wrap">
              <Text>{`${one.login} until ${moment(one.until)}: ${one.reason}, granted by ${one.granted_by}`}</Text>
              {may('support.revoke') && (
                <Button size="sm" variant="destructive" disabled={busy} onClick={() => setEnding(one)}>
                  End it now
                </Button>
              )}
            </Stack>
          ))}
        </Block>
        <Block title="Let somebody in">
          {may('support.grant') ? (
            <Stack direction="row" gap={2} wrap="wrap" alignItems="flex-end">
              <Field noMargin label="Their login" htmlFor="falloff-support-login">
                <Input
                  id="falloff-support-login"
                  width={20}
                  value={login}
                  onChange={(event) => setLogin(event.currentTarget.value)}
                />
              </Field>
              <Field noMargin label="Reason, a word such as ticket/4711" htmlFor="falloff-support-reason">
                <Input
                  id="falloff-support-reason"
                  width={28}
                  value={reason}
                  placeholder="ticket/4711"
                  onChange={(event) => setReason(event.currentTarget.value)}
                />
              </Field>
              <Field noMargin label="For" htmlFor="falloff-support-for">
                <Combobox
                  id="falloff-support-for"
                  width={18}
                  options={DURATIONS}
                  value={minutes}
                  onChange={({ value }) => setMinutes(value)}
                />
              </Field>
              <Button disabled={busy || !login.trim() || !reason.trim()} onClick={grant}>
                Grant support access
              </Button>
            </Stack>
          ) : (
            <Needs permission="support.grant" />
          )}
        </Block>
        <Block title="Over">
          {over.length === 0 ? (
            <Text color="secondary">There was none.</Text>
          ) : (
            over.slice(0, 20).map((one) => (
              <Text key={one.session} variant="bodySmall">
                {`${one.login}, ${one.reason}: ${moment(one.from)} to ${moment(one.ended ?? one.until)}, granted by ${one.granted_by}, ${
                  one.ended_by ? `ended by ${one.ended_by}` : 'its time was over'
                }, ${one.uses} requests`}
              </Text>
            ))
          )}
        </Block>
        <ConfirmModal
          isOpen={ending !== undefined}
          title="End support access"
          body={ending ? `${ending.login} sees nothing of this clinic from now on.` : ''}
          confirmText="End it now"
          onConfirm={() => {
            if (ending) {
              change('support/end', { session: ending.session }, `The support access of ${ending.login} has ended.`);
            }
            setEnding(undefined);
          }}
          onDismiss={() => setEnding(undefined)}
        />
      </Stack>
    </div>
  );
}
