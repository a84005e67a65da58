import React from 'react';
import { PanelProps } from '@grafana/data';

import { Part, SavedClinic } from '../components/SavedClinic';

export interface ClinicPanelOptions {
  part: Part;
}

/** A clinic's settings on a dashboard: of the clinic that the page's variable chooses. */
export function ClinicPanel({ options, replaceVariables, title }: PanelProps<ClinicPanelOptions>) {
  return (
    // What scrolls must be reached without a mouse.
    <div style={{ height: '100%', overflow: 'auto' }} role="region" aria-label={title} tabIndex={0}>
      <SavedClinic uid={replaceVariables('${datasource}')} part={options.part} />
    </div>
  );
}
