export const PLUGIN_ID = 'falloff-falloff-datasource';

/** What the settings of a clinic are asked of: the data source, as whoever is signed in. */
export interface DeskSource {
  /** The clinic that it is bound to, if it is. */
  clinic?: string;
  getResource<T>(path: string, params?: Record<string, string>): Promise<T>;
  postResource<T>(path: string, data?: unknown, options?: { showErrorAlert?: boolean }): Promise<T>;
}

/** Who is asking, and what they may do where. */
export interface Me {
  person: string;
  clinics: Array<{ clinic: string; permissions: string[] }>;
}

export interface Synced {
  dataset: string;
  rows: number;
  covered_to?: string;
  observed_on?: string;
  days_behind?: number;
}

/** A clinic's settings. What whoever asks may not see is missing. */
export interface Settings {
  clinic: string;
  name: string;
  time_zone: string;
  currency: string;
  quiet_hours: string;
  stale_after_days: number;
  identity_mode?: string;
  extraction?: {
    state: string;
    todo?: string;
    paused: boolean;
    running: boolean;
    last_run?: string;
    cause?: string;
  };
  agreement?: {
    accepted: boolean;
    version: number;
    accepted_version: number;
    accepted_at?: string;
    signer?: string;
  };
  synced?: Synced[];
}

export interface SettingsChange {
  quiet_hours?: string;
  stale_after_days?: number;
  paused?: boolean;
}

export interface Grant {
  session: string;
  login: string;
  reason: string;
  granted_by: string;
  from: string;
  until: string;
  active: boolean;
  ended?: string;
  ended_by?: string;
  uses: number;
}

/** The words of a refusal, as the server said them. */
export function messageOf(error: unknown): string {
  if (typeof error === 'object' && error !== null) {
    if ('data' in error && typeof error.data === 'object' && error.data !== null && 'message' in error.data) {
      return String(error.data.message);
    }
    if ('message' in error) {
      return String(error.message);
    }
  }
  return 'The query server did not answer. Try again in a while.';
}

/** An instant as people here read it: in UTC, as the dashboards are. */
export function moment(text?: string): string {
  return text ? text.slice(0, 16).replace('T', ' ') + ' UTC' : '–';
}
