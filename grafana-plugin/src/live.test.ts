import { CoreApp, DataQueryRequest, DataQueryResponse, LiveChannelEventType } from '@grafana/data';
import { of, Subject, throwError } from 'rxjs';

import { asksFreshness, withNews } from './live';
import { FalloffQuery } from './types';

const getStream = jest.fn();
jest.mock('@grafana/runtime', () => ({
  ...jest.requireActual('@grafana/runtime'),
  config: { liveEnabled: true },
  getGrafanaLiveSrv: () => ({ getStream }),
}));

function request(app: string, ...targets: Array<Partial<FalloffQuery>>): DataQueryRequest<FalloffQuery> {
  return { app, targets } as unknown as DataQueryRequest<FalloffQuery>;
}

describe('asksFreshness', () => {
  it('is about panels of dashboards that ask for nothing else', () => {
    const fresh = { query: 'freshness' };
    expect(asksFreshness(request(CoreApp.Dashboard, fresh), 'harbour-street')).toBe('harbour-street');
    expect(asksFreshness(request(CoreApp.Dashboard, { ...fresh, clinic: 'second' }))).toBe('second');
    expect(asksFreshness(request(CoreApp.Dashboard, { ...fresh, clinic: 'second' }), 'first')).toBe('first');
    expect(asksFreshness(request(CoreApp.Dashboard, fresh))).toBeUndefined();
    expect(asksFreshness(request(CoreApp.Explore, fresh), 'harbour-street')).toBeUndefined();
    expect(asksFreshness(request(CoreApp.Dashboard, { query: 'leak_total' }), 'harbour-street')).toBeUndefined();
    expect(asksFreshness(request(CoreApp.Dashboard, fresh, fresh), 'harbour-street')).toBeUndefined();
  });
});

describe('withNews', () => {
  const answer: DataQueryResponse = { data: [] };

  it('asks again, in the name of whoever looks, when there is news', () => {
    const channel = new Subject();
    getStream.mockReturnValue(channel);
    const ask = jest.fn(() => of(answer));
    const seen: DataQueryResponse[] = [];
    const sub = withNews('uid', 'harbour-street', ask).subscribe((one) => seen.push(one));
    expect(getStream).toHaveBeenCalledWith(
      expect.objectContaining({ scope: 'ds', stream: 'uid', path: 'freshness/harbour-street' })
    );
    expect(ask).toHaveBeenCalledTimes(1);
    channel.next({ type: LiveChannelEventType.Status, state: 'CONNECTED' });
    expect(ask).toHaveBeenCalledTimes(1);
    channel.next({ type: LiveChannelEventType.Message, message: { anything: 'it is not shown' } });
    expect(ask).toHaveBeenCalledTimes(2);
    expect(seen).toEqual([answer, answer]);
    sub.unsubscribe();
    channel.next({ type: LiveChannelEventType.Message, message: {} });
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('shows the answer as it was where there is no channel', () => {
    getStream.mockReturnValue(throwError(() => new Error('not found')));
    const seen: DataQueryResponse[] = [];
    const failed = jest.fn();
    withNews('uid', 'harbour-street', () => of(answer)).subscribe({ next: (one) => seen.push(one), error: failed });
    expect(seen).toEqual([answer]);
    expect(failed).not.toHaveBeenCalled();
  });
});
