import React from 'react';
import { PanelProps } from '@grafana/data';

import { Part, SavedClinic } from '../components/SavedClinic';

export interface ClinicPanelOptions {
  part: Part;
}

/** A clinic's settings on a dashboard: of the clinic that the page's variable chooses. */
export function ClinicPanel({ options, replaceVariables }: PanelProps<ClinicPanelOptions>) {
  return (
    <div style={{ height: '100%', overflow: 'auto' }}>
      <SavedClinic uid={replaceVariables('${datasource}')} part={options.part} />
    </div>
  );
}
