import {
  DataQueryRequest,
  DataQueryResponse,
  isLiveChannelMessageEvent,
  LiveChannelAddress,
  LiveChannelScope,
} from '@grafana/data';
import { config, getGrafanaLiveSrv } from '@grafana/runtime';
import { catchError, concat, EMPTY, filter, Observable, switchMap } from 'rxjs';

import { FalloffQuery } from './types';

/** The clinic that a request is about, if it only asks how fresh that is, in a panel that people look at. */
export function asksFreshness(request: DataQueryRequest<FalloffQuery>, bound?: string): string | undefined {
  if (request.targets.length !== 1 || (request.app !== 'dashboard' && request.app !== 'panel-viewer')) {
    return undefined;
  }
  const [{ query, desk, hide, clinic }] = request.targets;
  return query === 'freshness' && !desk && !hide ? bound || clinic || undefined : undefined;
}

/**
 * Asks, and asks again whenever the clinic's channel says that there is news. The channel says nothing else: what there is to
 * see is always asked in the name of whoever looks. Without a channel, such as where the data source has no service token, the
 * answer stays as it was.
 */
export function withNews(
  uid: string,
  clinic: string,
  ask: () => Observable<DataQueryResponse>
): Observable<DataQueryResponse> {
  const live = getGrafanaLiveSrv();
  if (!live || !config.liveEnabled) {
    return ask();
  }
  const news = live.getStream<unknown>(channel(uid, clinic)).pipe(
    filter(isLiveChannelMessageEvent),
    catchError(() => EMPTY)
  );
  return concat(ask(), news.pipe(switchMap(ask)));
}

function channel(uid: string, clinic: string): LiveChannelAddress {
  // Grafana 13 calls it stream, 12.3 namespace.
  const of: LiveChannelAddress & { namespace: string } = {
    scope: LiveChannelScope.DataSource,
    stream: uid,
    namespace: uid,
    path: `freshness/${clinic}`,
  };
  return of;
}
