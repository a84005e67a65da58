import { DataSourceJsonData } from '@grafana/data';
import { DataQuery } from '@grafana/schema';

/** A query: one named question out of the server's catalogue. pkg/plugin/datasource.go reads it. */
export interface FalloffQuery extends DataQuery {
  /** The question's name. */
  query?: string;
  /** Its parameters by name; what is left out takes its default. Text may hold template variables. */
  params?: Record<string, ParameterValue>;
  /** A long table; a column for each series, in colours that anyone can tell apart; the same without colours. */
  format?: Format;
  /** Asked where the data source is not bound to a clinic. */
  clinic?: string;
  /** Narrow the answer to the dashboard's time range, where the question knows how. */
  useTimeRange?: boolean;
  /** Asked instead of a question: what the query server answers beside figures. */
  desk?: Desk;
  /** Which events; none is all that may be seen. */
  kinds?: EventKind[];
  /** Answer nothing at all where there are no rows, so that a table says its sentence. Set while it is asked. */
  noHeaders?: boolean;
  /** The column that the format "number" is about, and those that say of what: for alert rules. */
  value?: string;
  labels?: string[];
}

export type Format = 'table' | 'series' | 'matrix' | 'number';
/** The audit log, support access, what happened, and the sentence about support access that goes on. */
export type Desk = 'audit' | 'support' | 'events' | 'banner';
export type EventKind = 'sync' | 'setting' | 'price' | 'support';
export type ParameterValue = string | number;

export const DEFAULT_QUERY: Partial<FalloffQuery> = {
  query: 'leaks_by_category',
  params: {},
  format: 'table',
  useTimeRange: false,
};

/** One parameter of a question, as the query server describes it. */
export interface Parameter {
  name: string;
  title: string;
  description: string;
  type: 'integer' | 'choice' | 'text';
  default: ParameterValue;
  allowed?: string[];
  min?: number;
  max?: number;
}

/** One question of the catalogue. */
export interface Definition {
  name: string;
  title: string;
  description: string;
  parameters: Parameter[];
  /** What the dashboard's time range narrows; missing where it narrows nothing. */
  time_range?: string;
  /** Present where the answer can be drawn as series. */
  series?: { x: string; name: string; value: string };
}

export interface Clinic {
  id: string;
  name: string;
}

/** What is stored of a data source, beside its URL. pkg/plugin/settings.go reads it. */
export interface FalloffOptions extends DataSourceJsonData {
  /** The one clinic that this data source asks about; empty leaves it to each query. */
  clinic?: string;
  /** Whether nobody signs in to this Grafana without a second factor. */
  secondFactor?: boolean;
  tlsAuthWithCACert?: boolean;
  serverName?: string;
}

/** What only the backend sees. */
export interface FalloffSecrets {
  /** Shared with the query server: the plugin signs with it who is signed in. */
  pluginKey?: string;
  /** For what runs while nobody is signed in. */
  serviceToken?: string;
  tlsCACert?: string;
}
