import {
  AdHocVariableFilter,
  CoreApp,
  DataQueryRequest,
  DataQueryResponse,
  DataSourceGetTagKeysOptions,
  DataSourceGetTagValuesOptions,
  DataSourceInstanceSettings,
  FieldType,
  isDataFrame,
  MetricFindValue,
  ScopedVars,
} from '@grafana/data';
import { DataSourceWithBackend, getTemplateSrv } from '@grafana/runtime';
import { map, Observable } from 'rxjs';

import { eventAnnotations } from './annotations';
import { asksFreshness, withNews } from './live';

import { intoSql, intoValues } from './interpolate';
import {
  Choice,
  Clinic,
  DEFAULT_QUERY,
  Definition,
  FalloffOptions,
  FalloffQuery,
  Filter,
  isAsked,
  Metric,
  MetricQuery,
  modeOf,
  ParameterValue,
  Tables,
} from './types';
import { FalloffVariableSupport } from './variables';

export class DataSource extends DataSourceWithBackend<FalloffQuery, FalloffOptions> {
  /** The clinic that the data source is bound to, if it is. */
  readonly clinic?: string;

  private catalogue?: Promise<Definition[]>;
  private readonly kept = new Map<string, Promise<unknown>>();

  constructor(instanceSettings: DataSourceInstanceSettings<FalloffOptions>) {
    super(instanceSettings);
    this.clinic = instanceSettings.jsonData.clinic;
    this.variables = new FalloffVariableSupport(this);
    this.annotations = eventAnnotations;
  }

  getDefaultQuery(_: CoreApp): Partial<FalloffQuery> {
    return DEFAULT_QUERY;
  }

  applyTemplateVariables(query: FalloffQuery, scopedVars: ScopedVars, filters?: AdHocVariableFilter[]): FalloffQuery {
    const replace = (text: string) => getTemplateSrv().replace(text, scopedVars);
    const asked = { ...query };
    if (query.clinic) {
      asked.clinic = replace(query.clinic);
    }
    switch (modeOf(query)) {
      case 'metric':
        return { ...asked, metric: withValues(query.metric, scopedVars), ...adhocOf(query, filters) };
      case 'sql':
        return { ...asked, sql: intoSql(query.sql ?? '', scopedVars) };
      case 'leaks':
        return { ...asked, params: withVariables(query.params, replace), ...adhocOf(query, filters) };
      default:
        return { ...asked, params: withVariables(query.params, replace) };
    }
  }

  filterQuery(query: FalloffQuery): boolean {
    return !query.hide && isAsked(query);
  }

  /** What a query is about in a few words, for Explore's history. */
  getQueryDisplayText(query: FalloffQuery): string {
    switch (modeOf(query)) {
      case 'metric':
        return [query.metric?.name, ...(query.metric?.by ?? [])].filter(Boolean).join(' · ');
      case 'sql':
        return query.sql ?? '';
      default:
        return query.query ?? '';
    }
  }

  /** The clinic that a query is about, with its variables put in; none where it is still to be chosen. */
  clinicOf(query?: Pick<FalloffQuery, 'clinic'>): string | undefined {
    return this.clinic || (query?.clinic ? getTemplateSrv().replace(query.clinic) : undefined);
  }

  /** What shows how fresh the clinic is asks again when there is news. */
  query(asked: DataQueryRequest<FalloffQuery>): Observable<DataQueryResponse> {
    const request = inTable(asked);
    const clinic = asksFreshness(request, this.clinic);
    if (clinic) {
      return withNews(this.uid, clinic, () => super.query(request));
    }
    const answer = super.query(request);
    return request.panelPluginId === 'trend' ? answer.pipe(map(onBareAxis)) : answer;
  }

  /** The questions there are. They change with the query server's version alone, so one answer lasts; a failure doesn't. */
  getCatalogue(): Promise<Definition[]> {
    if (!this.catalogue) {
      this.catalogue = this.getResource<{ queries: Definition[] }>('queries').then((answer) => answer.queries);
      this.catalogue.catch(() => {
        this.catalogue = undefined;
      });
    }
    return this.catalogue;
  }

  async getClinics(): Promise<Clinic[]> {
    const answer = await this.getResource<{ clinics: Clinic[] }>('clinics');
    return answer.clinics;
  }

  /** The figures that the person may ask for. */
  getMetrics(clinic: string): Promise<Metric[]> {
    return this.keep(`metrics ${clinic}`, async () => {
      const answer = await this.getResource<{ metrics: Metric[] }>('metrics', { clinic });
      return answer.metrics.filter((metric) => metric.source_of_answers !== '');
    });
  }

  /** The values of a dimension of a figure, as the person may see them, by the words that answers have for them. */
  async getMetricValues(clinic: string, metric: string, dimension: string): Promise<Choice[]> {
    const answer = await this.getResource<{ values: string[]; choices?: Choice[] }>('metrics/values', {
      clinic,
      metric,
      dimension,
    });
    // A query server of before there were words for them says the values alone.
    return answer.choices ?? answer.values.map((value) => ({ text: value, value }));
  }

  /** The statement that a figure would be asked with. */
  async getMetricSql(clinic: string, metric: MetricQuery): Promise<string> {
    const answer = await this.postResource<{ sql: string }>(
      'metric/sql',
      { clinic, metric: withValues(metric, {}) },
      { showErrorAlert: false }
    );
    return answer.sql;
  }

  /** What the person may do at a clinic. */
  getPermissions(clinic: string): Promise<string[]> {
    return this.keep(`permissions ${clinic}`, async () => {
      const answer = await this.getResource<{ permissions: string[] }>('permissions', { clinic });
      return answer.permissions;
    });
  }

  /** What SQL may be written over. */
  getTables(clinic: string): Promise<Tables> {
    return this.keep(`tables ${clinic}`, () => this.getResource<Tables>('tables', { clinic }));
  }

  /** The values of a list: discipline, location, payer, staff_member or category. */
  async getChoices(clinic: string, list: string): Promise<Choice[]> {
    const answer = await this.getResource<{ choices: Choice[] }>('choices', { clinic, list });
    return answer.choices;
  }

  /** What a dashboard's ad-hoc filters may be about: whatever any figure that the person may see is split by. */
  async getTagKeys(options?: DataSourceGetTagKeysOptions<FalloffQuery>): Promise<MetricFindValue[]> {
    const metrics = await this.getMetrics(await this.clinicOfFilters(options));
    const found = new Map<string, string>();
    for (const { splits } of metrics) {
      splits.forEach(({ name, title }) => found.set(name, title));
    }
    return [...found].map(([value, text]) => ({ value, text })).sort((a, b) => a.text.localeCompare(b.text));
  }

  /** Their values, from the figures that the dashboard's panels show, or else from any. */
  async getTagValues(options: DataSourceGetTagValuesOptions<FalloffQuery>): Promise<MetricFindValue[]> {
    const clinic = await this.clinicOfFilters(options);
    const shown = new Set((options.queries ?? []).map((query) => query.metric?.name));
    const fitting = (await this.getMetrics(clinic)).filter(({ splits }) =>
      splits.some(({ name }) => name === options.key)
    );
    const asked = fitting.filter(({ name }) => shown.has(name));
    const found = new Map<string, string>();
    for (const { name } of (asked.length > 0 ? asked : fitting).slice(0, 3)) {
      (await this.getMetricValues(clinic, name, options.key)).forEach(({ value, text }) => found.set(value, text));
    }
    return [...found].map(([value, text]) => ({ text, value }));
  }

  private async clinicOfFilters(options?: { queries?: FalloffQuery[] }): Promise<string> {
    const named = this.clinic ?? options?.queries?.map((query) => this.clinicOf(query)).find(Boolean);
    return named || ((await this.getClinics())[0]?.id ?? '');
  }

  /** One answer lasts while the page is open; a failure doesn't. */
  private keep<T>(name: string, ask: () => Promise<T>): Promise<T> {
    let answer = this.kept.get(name) as Promise<T> | undefined;
    if (!answer) {
      answer = ask();
      this.kept.set(name, answer);
      answer.catch(() => this.kept.delete(name));
    }
    return answer;
  }
}

function withVariables(params: FalloffQuery['params'], replace: (text: string) => string) {
  const replaced: Record<string, ParameterValue> = {};
  for (const [name, value] of Object.entries(params ?? {})) {
    replaced[name] = typeof value === 'string' ? replace(value) : value;
  }
  return replaced;
}

function withValues(metric: MetricQuery | undefined, scopedVars: ScopedVars): MetricQuery | undefined {
  if (!metric) {
    return metric;
  }
  const filters = (metric.filters ?? [])
    .filter(({ key, values }) => key && values?.length)
    .map((filter) => ({ ...filter, values: filter.values?.flatMap((value) => intoValues(value, scopedVars)) }));
  return { ...metric, filters };
}

/** A dashboard's filters as the backend takes them; where Grafana gives none, those that the query already has. */
function adhocOf(query: FalloffQuery, filters?: AdHocVariableFilter[]): Pick<FalloffQuery, 'adhoc'> {
  const adhoc: Filter[] | undefined = filters?.map(({ key, operator, value, values }) => ({
    key,
    operator,
    ...(values?.length ? { values } : { value }),
  }));
  return adhoc?.length ? { adhoc } : query.adhoc ? { adhoc: query.adhoc } : {};
}

/** A table without rows would show bare headers. Charts want their axis all the same. */
function inTable(request: DataQueryRequest<FalloffQuery>): DataQueryRequest<FalloffQuery> {
  if (request.panelPluginId !== 'table') {
    return request;
  }
  return { ...request, targets: request.targets.map((target) => ({ ...target, noHeaders: true })) };
}

/**
 * A trend panel says its own sentence of why it is empty only where it has an axis and no curve: without an axis it complains that it
 * finds none, and with curves of no points it draws an empty chart.
 */
function onBareAxis(answer: DataQueryResponse): DataQueryResponse {
  const data = answer.data.map((frame) =>
    isDataFrame(frame) && frame.length === 0
      ? { ...frame, fields: frame.fields.filter(({ type }) => type === FieldType.number).slice(0, 1) }
      : frame
  );
  return { ...answer, data };
}
