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

/** Reads a clinic's settings or support access, as whoever is signed in may see them. */
export function useClinic<T>(source: DeskSource, path: 'settings' | 'support'): Matter<T> {
  const [me, setMe] = useState<Me>();
  const [chosen, setChosen] = useState<string>();
  const [shown, setShown] = useState<T>();
  const [refused, setRefused] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<{ done?: string; failure?: string }>({});

  const clinics = me?.clinics.map(({ clinic }) => clinic) ?? [];
  const clinic = source.clinic || chosen || clinics[0];

  useEffect(() => {
    let left = false;
    source.getResource<Me>('me').then(
      (answer) => !left && setMe(answer),
      (error) => !left && setRefused(messageOf(error))
    );
    return () => {
      left = true;
    };
  }, [source]);

  const read = useCallback(
    (of: string) =>
      source.getResource<T>(path, { clinic: of }).then(
        (answer) => {
          setShown(answer);
          setRefused(undefined);
        },
        (error) => {
          setShown(undefined);
          setRefused(messageOf(error));
        }
      ),
    [source, path]
  );

  useEffect(() => {
    if (me && clinic) {
      read(clinic);
    } else if (me) {
      setRefused('There is no clinic here that you may see.');
    }
  }, [me, clinic, read]);

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

  const held = me?.clinics.find((one) => one.clinic === clinic)?.permissions ?? [];
  return {
    shown,
    refused,
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
