import { AnnotationSupport } from '@grafana/data';

import { EventsEditor } from './components/EventsEditor';
import { EventKind, FalloffQuery } from './types';

export const EVENT_KINDS: Array<{ value: EventKind; label: string; description: string }> = [
  { value: 'sync', label: 'Syncs', description: 'When data landed' },
  {
    value: 'price',
    label: 'Prices and policies',
    description: 'When prices, fees and limits changed, or a new price began',
  },
  {
    value: 'setting',
    label: 'Settings',
    description: 'When quiet hours and the like changed, and when reading was paused',
  },
  { value: 'support', label: 'Support access', description: 'When somebody of the vendor could see the clinic' },
];

/** Marks in charts: what happened at the clinic, of what whoever looks may see. */
export const eventAnnotations: AnnotationSupport<FalloffQuery> = {
  QueryEditor: EventsEditor,
  getDefaultQuery: () => ({ desk: 'events', kinds: ['sync', 'price'] }),
  prepareQuery: (annotation) => ({
    refId: annotation.target?.refId ?? 'Anno',
    desk: 'events',
    kinds: annotation.target?.kinds,
    clinic: annotation.target?.clinic,
  }),
};
