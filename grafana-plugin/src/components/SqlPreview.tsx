import React, { useState } from 'react';
import { css } from '@emotion/css';
import { GrafanaTheme2 } from '@grafana/data';
import { ClipboardButton, Collapse, Text, useStyles2 } from '@grafana/ui';

import { DataSource } from '../datasource';
import { MetricQuery } from '../types';
import { useLoaded } from './loaded';

interface Props {
  datasource: DataSource;
  clinic: string;
  metric: MetricQuery;
}

/** The SQL that a figure becomes, to read and to take elsewhere. It is asked for when somebody opens it. */
export function SqlPreview({ datasource, clinic, metric }: Props) {
  const [isOpen, setOpen] = useState(false);
  const styles = useStyles2(getStyles);
  const complete = { ...metric, filters: (metric.filters ?? []).filter(({ key, values }) => key && values?.length) };
  const sql = useLoaded(isOpen ? JSON.stringify([clinic, complete]) : undefined, () =>
    datasource.getMetricSql(clinic, complete)
  );
  return (
    <Collapse label="SQL" isOpen={isOpen} onToggle={setOpen}>
      {sql.failure && <Text color="error">{sql.failure}</Text>}
      {!sql.failure && !sql.value && <Text color="secondary">Asking the query server…</Text>}
      {sql.value && (
        <div className={styles.frame}>
          <pre className={styles.sql} aria-label="SQL of the metric">
            {sql.value}
          </pre>
          <ClipboardButton
            className={styles.copy}
            variant="secondary"
            size="sm"
            icon="copy"
            aria-label="Copy the SQL"
            getText={() => sql.value ?? ''}
          />
        </div>
      )}
    </Collapse>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  frame: css({ position: 'relative' }),
  sql: css({
    margin: 0,
    maxHeight: 320,
    overflow: 'auto',
    fontSize: theme.typography.bodySmall.fontSize,
  }),
  copy: css({ position: 'absolute', top: theme.spacing(1), right: theme.spacing(1) }),
});
