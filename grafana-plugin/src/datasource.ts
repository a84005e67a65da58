import { CoreApp, DataQueryRequest, DataQueryResponse, DataSourceInstanceSettings, ScopedVars } from '@grafana/data';
import { DataSourceWithBackend, getTemplateSrv } from '@grafana/runtime';
import { Observable } from 'rxjs';

import { eventAnnotations } from './annotations';
import { asksFreshness, withNews } from './live';

import { Clinic, DEFAULT_QUERY, Definition, FalloffOptions, FalloffQuery, ParameterValue } from './types';
import { FalloffVariableSupport } from './variables';

export class DataSource extends DataSourceWithBackend<FalloffQuery, FalloffOptions> {
  /** The clinic that the data source is bound to, if it is. */
  readonly clinic?: string;

  private catalogue?: Promise<Definition[]>;

  constructor(instanceSettings: DataSourceInstanceSettings<FalloffOptions>) {
    super(instanceSettings);
    this.clinic = instanceSettings.jsonData.clinic;
    this.variables = new FalloffVariableSupport();
    this.annotations = eventAnnotations;
  }

  getDefaultQuery(_: CoreApp): Partial<FalloffQuery> {
    return DEFAULT_QUERY;
  }

  applyTemplateVariables(query: FalloffQuery, scopedVars: ScopedVars): FalloffQuery {
    const replace = (text: string) => getTemplateSrv().replace(text, scopedVars);
    const params: Record<string, ParameterValue> = {};
    for (const [name, value] of Object.entries(query.params ?? {})) {
      params[name] = typeof value === 'string' ? replace(value) : value;
    }
    return { ...query, params, clinic: query.clinic ? replace(query.clinic) : query.clinic };
  }

  filterQuery(query: FalloffQuery): boolean {
    return !query.hide && Boolean(query.query || query.desk);
  }

  /** What shows how fresh the clinic is asks again when there is news. */
  query(asked: DataQueryRequest<FalloffQuery>): Observable<DataQueryResponse> {
    const request = inTable(asked);
    const clinic = asksFreshness(request, this.clinic);
    return clinic ? withNews(this.uid, clinic, () => super.query(request)) : super.query(request);
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
}

/** A table without rows would show bare headers. Charts want their axis all the same. */
function inTable(request: DataQueryRequest<FalloffQuery>): DataQueryRequest<FalloffQuery> {
  if (request.panelPluginId !== 'table') {
    return request;
  }
  return { ...request, targets: request.targets.map((target) => ({ ...target, noHeaders: true })) };
}
