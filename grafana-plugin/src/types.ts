import { DataSourceJsonData } from '@grafana/data';
import { DataQuery } from '@grafana/schema';

/** What a query is about, and how it is chosen. pkg/plugin/datasource.go reads it. */
export interface FalloffQuery extends DataQuery {
  /** How the query is made; a query without one is a named query, as all were at first. */
  mode?: Mode;
  /** A figure of the metric dictionary: mode metric. */
  metric?: MetricQuery;
  /** A SELECT, with macros: mode sql. */
  sql?: string;
  /** The name of one question out of the server's catalogue: every other mode. */
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
  /** A dashboard's ad-hoc filters, put in on the way out. */
  adhoc?: Filter[];
}

export type Mode = 'metric' | 'cohort' | 'leaks' | 'named' | 'sql';
export type Format = 'table' | 'series' | 'matrix' | 'number';
/** The audit log, support access, what happened, and the sentence about support access that goes on. */
export type Desk = 'audit' | 'support' | 'events' | 'banner';
export type EventKind = 'sync' | 'setting' | 'price' | 'support';
export type ParameterValue = string | number;

export interface MetricQuery {
  name: string;
  /** The dimensions that it is split by, two at most. */
  by?: string[];
  /** Split by time besides; auto fits the panel. */
  grain?: Grain;
  filters?: Filter[];
}

export type Grain = '' | 'auto' | 'week' | 'month' | 'quarter' | 'year';

/** One filter; values may be template variables. */
export interface Filter {
  key: string;
  operator: string;
  value?: string;
  values?: string[];
}

export const DEFAULT_QUERY: Partial<FalloffQuery> = {
  mode: 'metric',
  metric: { name: 'leaked_revenue', by: ['category'], grain: '', filters: [] },
  format: 'table',
  useTimeRange: false,
};

/** What a dashboard's variable chooses from. */
export type VariableList = 'clinic' | 'location' | 'discipline' | 'staff_member' | 'payer' | 'category';

/** A variable's query: a list, or a named query with columns text and value, as all were at first. */
export interface VariableQuery extends FalloffQuery {
  list?: VariableList;
  /** Leave out the choice of all together: where several may be chosen Grafana has one of its own. */
  withoutAll?: boolean;
}

/** What a query begins with in each mode. */
export const BEGINNINGS: Record<Mode, Partial<FalloffQuery>> = {
  metric: { metric: { name: '', by: [], grain: '', filters: [] }, format: 'table' },
  cohort: { query: 'retention_curve', params: {}, format: 'series' },
  leaks: { query: 'leak_worklist', params: {}, format: 'table' },
  named: { query: 'leaks_by_category', params: {}, format: 'table' },
  sql: { sql: '', format: 'table' },
};

/**
 * The mode of a query. One that names a question is never a metric: Grafana fills saved queries up with what new ones begin with.
 */
export function modeOf(query: FalloffQuery): Mode {
  if (query.desk || (query.mode === 'metric' && query.query)) {
    return 'named';
  }
  return query.mode ?? 'named';
}

/** Whether there is anything to ask. */
export function isAsked(query: FalloffQuery): boolean {
  switch (modeOf(query)) {
    case 'metric':
      return Boolean(query.metric?.name);
    case 'sql':
      return Boolean(query.sql?.trim());
    default:
      return Boolean(query.query || query.desk);
  }
}

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

/** Something that figures are split by. */
export interface Dimension {
  name: string;
  title: string;
  description: string;
  kind: 'name' | 'code' | 'number' | 'period';
}

/** One figure of the metric dictionary, and how the person may ask it. */
export interface Metric {
  name: string;
  title: string;
  unit: string;
  definition: string;
  /** What one row is. */
  grain: string;
  permission: string;
  combine: 'sum' | 'mean' | 'none';
  splits: Dimension[];
  grains: Grain[];
  /** What it must be split by, or narrowed to one value of. */
  needed: string[];
  /** What the person is answered from; empty where not at all. */
  source_of_answers: '' | 'rows' | 'caseload' | 'released';
  /** The ways to split it for whoever is answered from released tables. */
  released?: string[][];
}

/** A table that SQL may be written over. */
export interface Table {
  name: string;
  grain: string;
  columns: Array<{ name: string; type: string; unit?: string; meaning: string }>;
}

export interface Tables {
  tables: Table[];
  functions: string[];
}

/** One value of a list, and what people call it. */
export interface Choice {
  text: string;
  value: string;
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
