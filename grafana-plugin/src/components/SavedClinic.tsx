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

/** A clinic's settings and support access, asked through a data source in the name of whoever is signed in. */
export function SavedClinic({ uid, part }: Props) {
  const [source, setSource] = useState<DeskSource>();
  const [failure, setFailure] = useState<string>();

  useEffect(() => {
    let left = false;
    setSource(undefined);
    setFailure(undefined);
    getDataSourceSrv()
      .get({ type: PLUGIN_ID, uid })
      .then((found) => {
        if (left) {
          return;
        }
        if (isDesk(found)) {
          setSource(found);
        } else {
          setFailure('Choose a data source of falloff above.');
        }
      })
      .catch((error) => !left && setFailure(messageOf(error)));
    return () => {
      left = true;
    };
  }, [uid]);

  if (failure) {
    return (
      <Alert title="There is no clinic to show" severity="warning">
        {failure}
      </Alert>
    );
  }
  if (!source) {
    return <LoadingPlaceholder text="Asking for the clinic…" />;
  }
  return (
    <>
      {part !== 'support' && <ClinicSettings source={source} />}
      {part !== 'settings' && <SupportAccess source={source} />}
    </>
  );
}

function isDesk(source: DataSourceApi): source is DataSourceApi & DeskSource {
  return source.type === PLUGIN_ID && 'getResource' in source && 'postResource' in source;
}
