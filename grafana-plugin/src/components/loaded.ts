import { useEffect, useState } from 'react';

interface Loaded<T> {
  value?: T;
  failure?: string;
}

/** What a promise gives, asked anew when the key changes; nothing is asked without a key. */
export function useLoaded<T>(key: string | undefined, ask: (key: string) => Promise<T>): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T> & { key?: string }>({});
  useEffect(() => {
    let left = false;
    if (key !== undefined) {
      ask(key).then(
        (value) => !left && setLoaded({ key, value }),
        (error: unknown) => !left && setLoaded({ key, failure: messageOf(error) })
      );
    }
    return () => {
      left = true;
    };
    // What is asked is said by the key alone.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key]);
  return loaded.key === key ? loaded : {};
}

/** What went wrong, in the server's own words where it has some. */
export function messageOf(error: unknown): string {
  if (typeof error === 'object' && error !== null) {
    if ('data' in error && typeof error.data === 'object' && error.data !== null && 'message' in error.data) {
      return String(error.data.message);
    }
    if ('message' in error) {
      return String(error.message);
    }
  }
  return 'Test the data source: its settings page says what is wrong.';
}
