import { useCallback, useEffect, useState } from 'react';

import { DeskSource, Me, messageOf } from '../desks';

/** What is known of a clinic's matter, who asks, and how the last request went. */
export interface Matter<T> {
  /** Missing until it was read, and where it may not be seen. */
  shown?: T;
  /** Why it is not shown, in words. */
  refused?: string;
  clinic?: string;
  /** The clinics to choose from where the data source is bound to none. */
  clinics: string[];
  choose: (clinic: string) => void;
  may: (permission: string) => boolean;
  /** Changes something and reads it again. A refusal goes to `failure`. */
  change: (path: string, body: object, done: string) => Promise<boolean>;
  busy: boolean;
  /** How the last change went. */
  done?: string;
  failure?: string;
}

/** What was read of a clinic, or why it was not. */
interface Read<T> {
  clinic: string;
  shown?: T;
  refused?: string;
}

/** Reads a clinic's settings or support access, as whoever is signed in may see them. */
export function useClinic<T>(source: DeskSource, path: 'settings' | 'support'): Matter<T> {
  const [me, setMe] = useState<{ person?: Me; failure?: string }>({});
  const [chosen, setChosen] = useState<string>();
  const [known, setKnown] = useState<Read<T>>();
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<{ done?: string; failure?: string }>({});

  const clinics = me.person?.clinics.map(({ clinic }) => clinic) ?? [];
  const clinic = source.clinic || chosen || clinics[0];
  const held = me.person?.clinics.find((one) => one.clinic === clinic)?.permissions ?? [];
  const needs = `${path}.view`;
  const mayRead = held.includes(needs);

  useEffect(() => {
    let left = false;
    source.getResource<Me>('me').then(
      (person) => !left && setMe({ person }),
      (error) => !left && setMe({ failure: messageOf(error) })
    );
    return () => {
      left = true;
    };
  }, [source]);

  const read = useCallback(
    (of: string) =>
      source.getResource<T>(path, { clinic: of }).then(
        (shown) => setKnown({ clinic: of, shown }),
        (error) => setKnown({ clinic: of, refused: messageOf(error) })
      ),
    [source, path]
  );

  useEffect(() => {
    if (clinic && mayRead) {
      read(clinic);
    }
  }, [clinic, mayRead, read]);

  const change = async (to: string, body: object, done: string) => {
    setBusy(true);
    setOutcome({});
    try {
      await source.postResource(to, { clinic, ...body }, { showErrorAlert: false });
      setOutcome({ done });
      if (clinic) {
        await read(clinic);
      }
      return true;
    } catch (error) {
      setOutcome({ failure: messageOf(error) });
      return false;
    } finally {
      setBusy(false);
    }
  };

  let refused = me.failure;
  if (me.person && !mayRead) {
    refused = `It needs ${needs} at this clinic: ask whoever keeps the access policy.`;
  }
  const current = known?.clinic === clinic ? known : undefined;
  return {
    shown: current?.shown,
    refused: refused ?? current?.refused,
    clinic,
    clinics: source.clinic ? [] : clinics,
    choose: (to) => {
      setOutcome({});
      setChosen(to);
    },
    may: (permission) => held.includes(permission),
    change,
    busy,
    ...outcome,
  };
}
