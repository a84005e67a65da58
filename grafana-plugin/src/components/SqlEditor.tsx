import React, { useEffect, useRef, useState } from 'react';
import { css } from '@emotion/css';
import { GrafanaTheme2 } from '@grafana/data';
import { Alert, CodeEditor, Collapse, Monaco, MonacoEditor, Stack, Text, useStyles2 } from '@grafana/ui';

import { Completion, completions, MACROS } from '../completions';
import { Tables } from '../types';
import { FormatField, PartProps } from './fields';
import { useLoaded } from './loaded';

const NOTHING: Tables = { tables: [], functions: [] };

/** A SELECT of an analyst's own, with completion of tables, columns, functions and macros. */
export function SqlEditor({ datasource, query, clinic, change, isAllowed }: PartProps & { isAllowed?: boolean }) {
  const styles = useStyles2(getStyles);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const tables = useLoaded(isAllowed ? clinic : undefined, (at) => datasource.getTables(at));
  // The editor asks when it likes: it finds what is known by then.
  const known = useRef(NOTHING);
  const release = useRef<() => void>(undefined);
  useEffect(() => {
    known.current = tables.value ?? NOTHING;
  }, [tables.value]);
  useEffect(() => () => release.current?.(), []);

  const save = (sql: string) => {
    if (sql !== (query.sql ?? '')) {
      change({ sql });
    }
  };
  if (isAllowed === false) {
    return (
      <Alert title="SQL is not for you at this clinic" severity="info">
        It needs the permission sql.run, which the access policy gives. The query stays as it is; its answer is refused.
        <pre className={styles.sql}>{query.sql}</pre>
      </Alert>
    );
  }
  return (
    <Stack direction="column" gap={0.5}>
      <CodeEditor
        language="sql"
        value={query.sql ?? ''}
        height={220}
        showLineNumbers
        showMiniMap={false}
        monacoOptions={{ scrollBeyondLastLine: false, wordWrap: 'on', automaticLayout: true }}
        onBlur={save}
        onSave={save}
        onEditorDidMount={(editor, monaco) => {
          release.current?.();
          release.current = completing(editor, monaco, () => known.current);
        }}
      />
      <Stack direction="row" gap={1} wrap="wrap" alignItems="center">
        <FormatField query={query} change={change} without="matrix" />
        <Text variant="bodySmall" color="secondary">
          {tables.failure ??
            (tables.value ? `${tables.value.tables.length} tables, all in the schema marts` : 'Reading the tables…')}
        </Text>
      </Stack>
      <Collapse label="Macros and tables" isOpen={isHelpOpen} onToggle={setHelpOpen}>
        <Stack direction="column" gap={1}>
          <Text variant="bodySmall">
            One SELECT, answered from a process of its own. The query runs when you leave the box, or with Ctrl+S.
            Variables become one value or a list of them: <code>where location in ($location)</code>.
          </Text>
          <table className={styles.help}>
            <tbody>
              {MACROS.map(({ name, insert, says }) => (
                <tr key={name}>
                  <td>
                    <code>{insert}</code>
                  </td>
                  <td>{says}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <Text variant="bodySmall" color="secondary">
            {(tables.value?.tables ?? []).map(({ name }) => name.replace('marts.', '')).join(', ')}
          </Text>
        </Stack>
      </Collapse>
    </Stack>
  );
}

/** Has an editor complete, and gives what ends it. */
function completing(editor: MonacoEditor, monaco: Monaco, known: () => Tables): () => void {
  const kinds: Record<Completion['kind'], number> = {
    table: monaco.languages.CompletionItemKind.Struct,
    column: monaco.languages.CompletionItemKind.Field,
    function: monaco.languages.CompletionItemKind.Function,
    macro: monaco.languages.CompletionItemKind.Snippet,
    keyword: monaco.languages.CompletionItemKind.Keyword,
  };
  const order = ['column', 'table', 'macro', 'keyword', 'function'];
  const registered = monaco.languages.registerCompletionItemProvider('sql', {
    triggerCharacters: ['.', '$'],
    provideCompletionItems: (model, position) => {
      if (model !== editor.getModel()) {
        return { suggestions: [] };
      }
      const suggestions = completions(model.getValue(), model.getOffsetAt(position), known()).map((completion) => {
        const begin = model.getPositionAt(completion.from);
        return {
          label: completion.label,
          insertText: completion.insert,
          kind: kinds[completion.kind],
          detail: completion.detail,
          documentation: completion.documentation,
          sortText: `${order.indexOf(completion.kind)}${completion.label}`,
          range: {
            startLineNumber: begin.lineNumber,
            startColumn: begin.column,
            endLineNumber: position.lineNumber,
            endColumn: position.column,
          },
        };
      });
      return { suggestions };
    },
  });
  return () => registered.dispose();
}

const getStyles = (theme: GrafanaTheme2) => ({
  sql: css({ margin: theme.spacing(1, 0, 0) }),
  help: css({
    fontSize: theme.typography.bodySmall.fontSize,
    td: { padding: theme.spacing(0.25, 2, 0.25, 0), verticalAlign: 'top' },
  }),
});
