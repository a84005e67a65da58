import React, { useEffect, useState } from 'react';
import { DataSourceApi } from '@grafana/data';
import { getDataSourceSrv } from '@grafana/runtime';
import { Alert, LoadingPlaceholder } from '@grafana/ui';

import { DeskSource, messageOf, PLUGIN_ID } from '../desks';
import { ClinicSettings } from './ClinicSettings';
import { SupportAccess } from './SupportAccess';

/** Which of a clinic's matters is shown. */
export type Part = 'settings' | 'support';

interface Props {
  /** The data source that speaks for the clinic, as it is saved. */
  uid: string;
  /** Both where it is left out. */
  part?: Part;
}

interface Found {
  uid: string;
  source?: DeskSource;
  failure?: string;
}

/** A clinic's settings and support access, asked through a data source in the name of whoever is signed in. */
export function SavedClinic({ uid, part }: Props) {
  const [found, setFound] = useState<Found>();

  useEffect(() => {
    let left = false;
    getDataSourceSrv()
      .get({ type: PLUGIN_ID, uid })
      .then((source): Found =>
        isDesk(source) ? { uid, source } : { uid, failure: 'Choose a data source of falloff.' }
      )
      .catch((error): Found => ({ uid, failure: messageOf(error) }))
      .then((answer) => !left && setFound(answer));
    return () => {
      left = true;
    };
  }, [uid]);

  if (!found || found.uid !== uid) {
    return <LoadingPlaceholder text="Asking for the clinic…" />;
  }
  if (!found.source) {
    return (
      <Alert title="There is no clinic to show" severity="warning">
        {found.failure}
      </Alert>
    );
  }
  return (
    <>
      {part !== 'support' && <ClinicSettings source={found.source} />}
      {part !== 'settings' && <SupportAccess source={found.source} />}
    </>
  );
}

function isDesk(source: DataSourceApi): source is DataSourceApi & DeskSource {
  return source.type === PLUGIN_ID && 'getResource' in source && 'postResource' in source;
}
