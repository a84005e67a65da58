package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/sandbox"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// Unidentified is who asks where no signature said it, as the audit log names them.
const Unidentified = audit.ServicePrefix + "unidentified"

// Appender takes records, such as a server's audit chain.
type Appender interface {
	Append(ctx context.Context, e audit.Entry) (audit.Record, error)
}

// ServerAudit keeps a query server's requests in an audit chain.
type ServerAudit struct{ Chain Appender }

// Record returns when the record of a request is durable.
func (a ServerAudit) Record(ctx context.Context, e server.Event) error {
	_, err := a.Chain.Append(ctx, entryOf(e))
	return err
}

// entryOf is a request as the audit log has it.
func entryOf(e server.Event) audit.Entry {
	entry := audit.Entry{Person: e.Person, Address: e.Address, Clinic: e.Clinic, Action: actionOf(e), After: audit.Fields{}}
	if entry.Person == "" {
		entry.Person = Unidentified
	}
	said := map[string]any{
		"session": e.Session, "status": e.Status, "rows": e.Rows, "milliseconds": e.Took.Milliseconds(),
		"reason": e.Refused, "query": e.Query, "bytes": e.Bytes, "suppressed": e.Suppressed, "cached": e.Cached,
		"support": e.Support, "caseload": e.Caseload, "method": e.Method, "route": strings.TrimPrefix(e.Route, "/"), // a word begins with a letter
	}
	if commit, err := strconv.ParseInt(e.Snapshot, 10, 64); err == nil {
		said["snapshot"] = commit
	}
	switch e.Kind {
	case server.Question:
		said["parameters_sha256"] = e.Sent
		if e.Query != "" {
			entry.Entity = "query/" + e.Query
		}
	case server.Statement:
		said["statement_sha256"] = e.Sent
		entry.Entity = "sql"
	case server.Other:
		entry.Entity = "server"
	}
	for _, name := range audit.FieldsOf(entry.Action) {
		if value, ok := said[name]; ok && value != "" {
			entry.After[name] = value
		}
	}
	return entry
}

func actionOf(e server.Event) audit.Action {
	answered := e.Refused == ""
	switch {
	case e.Kind == server.Question && answered:
		return audit.QueryAnswered
	case e.Kind == server.Question:
		return audit.QueryRefused
	case e.Kind == server.Statement && answered:
		return audit.SQLAnswered
	case e.Kind == server.Statement:
		return audit.SQLRefused
	case answered:
		return audit.RequestAnswered
	default:
		return audit.RequestRefused
	}
}

// SnapshotSQL answers analysts' SQL over the newest snapshots of a lake.
type SnapshotSQL struct {
	Snapshots *Snapshots
	Pool      *sandbox.Pool
}

// martSchema is where marts lie in a statement.
const martSchema = "marts"

// Run answers a statement over some marts of a clinic's newest commit. Only the marts that it reads are fetched, when the gate has
// let it pass.
func (s SnapshotSQL) Run(ctx context.Context, clinic string, marts []string, statement string) (server.SQLAnswer, error) {
	head, site, err := s.Snapshots.head(ctx, clinic)
	if err != nil {
		return server.SQLAnswer{}, err
	}
	var tables []sandbox.Table
	for _, name := range sortedKeys(head.Marts) {
		if slices.Contains(marts, name) {
			tables = append(tables, sandbox.Table{TableName: sandbox.TableName{Schema: martSchema, Name: name}})
		}
	}
	commit, err := s.Snapshots.name(ctx, site, head)
	if err != nil {
		return server.SQLAnswer{}, err
	}
	answer, err := s.Pool.Query(ctx, sandbox.Request{
		Clinic: clinic, Snapshot: commit, Visible: audit.Sum(fmt.Sprint(tables)), Tables: tables, SQL: statement,
		Load: func(ctx context.Context, read []sandbox.TableName) (sandbox.Files, error) {
			return martFiles(ctx, site.Clinic.Snapshot(head), read)
		},
		Metadata: map[string]string{"falloff.clinic": clinic, "falloff.commit": commit, "falloff.as_of": head.AsOf.String()},
	})
	if err != nil {
		return server.SQLAnswer{}, err
	}
	return server.SQLAnswer{IPC: answer.IPC, Rows: answer.Rows, Snapshot: commit}, nil
}

// martFiles brings marts to this machine.
func martFiles(ctx context.Context, snapshot *lake.Snapshot, read []sandbox.TableName) (sandbox.Files, error) {
	want := lake.Want{Datasets: []string{}, Marts: []string{}}
	for _, t := range read {
		if t.Schema != martSchema {
			return sandbox.Files{}, errors.New("only marts are read by SQL")
		}
		want.Marts = append(want.Marts, t.Name)
	}
	local, err := snapshot.Materialise(ctx, want)
	if err != nil {
		return sandbox.Files{}, err
	}
	files := sandbox.Files{Paths: map[string][]string{}, Keys: local.Keys, Close: local.Close}
	for mart, paths := range local.Marts {
		files.Paths[martSchema+"."+mart] = paths
	}
	return files, nil
}
