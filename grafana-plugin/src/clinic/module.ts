import { PanelPlugin } from '@grafana/data';

import { ClinicPanel, ClinicPanelOptions } from './ClinicPanel';

export const plugin = new PanelPlugin<ClinicPanelOptions>(ClinicPanel).setPanelOptions((builder) =>
  builder.addRadio({
    path: 'part',
    name: 'Shows',
    defaultValue: 'settings',
    settings: {
      options: [
        { value: 'settings', label: 'Settings' },
        { value: 'support', label: 'Support access' },
      ],
    },
  })
);
