package iceberg

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// formatVersion is the newest that Spark 3.5, Trino and Athena all read.
const formatVersion = 2

// Keys of ours in a table's properties and in a snapshot's summary.
const (
	commitKey = "falloff.commit" // number of our commit
	kindKey   = "falloff.kind"
	inputKey  = "falloff.input" // number of the commit that a mart was made from
)

// keptVersions is how many versions of a table's metadata stay: a reader may hold one that was overtaken a moment ago.
const keptVersions = 20

// manyManifests is how many manifests a snapshot has before they are written as one: a reader opens each of them.
const manyManifests = 16

// history is one table while snapshots are added to it. Everything is put into files, nothing is stored by it.
type history struct {
	files *files
	name  tableName
	uuid  uuid.UUID
	at    string // location of the table
	day   string // column behind the months, empty where there are none
	// version is the number of the metadata that is being made, id a random part for names.
	version int
	id      string

	meta    table.Metadata // nil until there is a snapshot
	from    string         // location of the stored metadata that meta goes on from, empty for none
	columns *columns
	made    int // snapshots added
	serial  int // files named
}

// snapshotID is the id of the snapshot that one of our commits is in a table.
func snapshotID(id uuid.UUID, commit int64) int64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(id[:], uint64(commit)))
	return int64(binary.BigEndian.Uint64(sum[:8]) >> 1)
}

// uuidOf is a table's own id: the same whenever it is made anew.
func (n tableName) uuidOf(clinic lake.ClinicID) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("falloff:"+string(clinic)+"/"+n.String()))
}

// commitOf is the number of our commit that a snapshot is, 0 for one that somebody else made.
func commitOf(s *table.Snapshot) int64 {
	if s == nil || s.Summary == nil {
		return 0
	}
	n, err := strconv.ParseInt(s.Summary.Properties[commitKey], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// manifest is a manifest of a snapshot with its live entries.
type manifest struct {
	iceberg.ManifestFile

	entries []iceberg.ManifestEntry
}

// manifests are those of the newest snapshot.
func (h *history) manifests() ([]manifest, error) {
	if h.meta == nil {
		return nil, nil
	}
	current := h.meta.CurrentSnapshot()
	if current == nil {
		return nil, nil
	}
	list, err := current.Manifests(h.files)
	if err != nil {
		return nil, err
	}
	out := make([]manifest, 0, len(list))
	for _, file := range list {
		m := manifest{ManifestFile: file}
		for entry, err := range file.Entries(h.files, true) {
			if err != nil {
				return nil, err
			}
			m.entries = append(m.entries, entry)
		}
		out = append(out, m)
	}
	return out, nil
}

// add makes the snapshot that a commit is in this table. It does nothing where the commit names what the newest snapshot has.
func (h *history) add(commit *lake.Commit, objects []located) error {
	was, err := h.manifests()
	if err != nil {
		return err
	}
	wanted := map[string]lake.Object{}
	for _, o := range objects {
		wanted[o.location] = o.Object
		h.files.size(o.location, o.Bytes)
	}
	change := h.compare(was, wanted)
	if len(change.added) == 0 && len(change.removed) == 0 {
		return nil
	}
	builder, err := h.prepare(change)
	if err != nil {
		return err
	}
	return h.snapshot(builder, commit, change)
}

// change is what a snapshot changes.
type change struct {
	added   []string                // locations, in order
	removed []iceberg.ManifestEntry // no longer live
	stay    []iceberg.ManifestEntry // live, in manifests that are written anew
	whole   []iceberg.ManifestFile  // manifests that stay as they are
	files   int                     // live ones afterwards
	rows    int64
	bytes   int64
}

func (h *history) compare(was []manifest, wanted map[string]lake.Object) change {
	var c change
	live := map[string]bool{}
	kept := 0
	for _, m := range was {
		kept++
		for _, e := range m.entries {
			live[e.DataFile().FilePath()] = true
		}
	}
	for _, m := range was {
		gone := func(e iceberg.ManifestEntry) bool { _, stays := wanted[e.DataFile().FilePath()]; return !stays }
		switch {
		case len(m.entries) == 0: // it told of what went, one snapshot ago
		case kept <= manyManifests && !slices.ContainsFunc(m.entries, gone):
			c.whole = append(c.whole, m.ManifestFile)
		default:
			for _, e := range m.entries {
				if gone(e) {
					c.removed = append(c.removed, e)
				} else {
					c.stay = append(c.stay, e)
				}
			}
		}
	}
	for _, location := range slices.Sorted(maps.Keys(wanted)) {
		o := wanted[location]
		c.files, c.rows, c.bytes = c.files+1, c.rows+o.Rows, c.bytes+o.Bytes
		if !live[location] {
			c.added = append(c.added, location)
		}
	}
	return c
}

// prepare makes a builder whose current schema has every column of the files that come.
func (h *history) prepare(c change) (*table.MetadataBuilder, error) {
	var names []string
	if h.meta != nil && len(c.whole)+len(c.stay) > 0 { // columns stay while a file may have them
		for _, f := range h.meta.CurrentSchema().Fields() {
			names = append(names, f.Name)
		}
	}
	for _, location := range c.added {
		fields, err := fieldsOf(h.files, location)
		if err != nil {
			return nil, fmt.Errorf("object %s: %w", location, err)
		}
		taken, err := h.columns.take(fields)
		if err != nil {
			return nil, fmt.Errorf("object %s: %w", location, err)
		}
		for _, n := range taken {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	var b *table.MetadataBuilder
	var err error
	if h.meta == nil {
		if b, err = h.create(names); err != nil {
			return nil, err
		}
	} else if b, err = table.MetadataBuilderFromBase(h.meta, h.from); err != nil {
		return nil, err
	}
	if len(c.added) > 0 {
		if err := b.AddSchema(h.columns.schema(names)); err != nil {
			return nil, err
		}
		if err := b.SetCurrentSchemaID(-1); err != nil {
			return nil, err
		}
	}
	return b, h.setProperties(b)
}

// How much is kept of what a column holds: of text only how many values there are and how many are null.
const (
	textMetrics  = "counts"
	otherMetrics = "full"
)

func (h *history) setProperties(b *table.MetadataBuilder) error {
	mapping, err := json.Marshal(h.columns.mapping())
	if err != nil {
		return err
	}
	return b.SetProperties(iceberg.Properties{
		table.DefaultNameMappingKey: string(mapping),
		// The files are ours: an engine that expires snapshots must not delete what our commits name.
		"gc.enabled": "false",
		// Our objects hold text in an encoding (DELTA_LENGTH_BYTE_ARRAY) that Iceberg's reader for Spark refuses when it reads by
		// columns, and takes when it reads by rows. Asking for rows costs it some speed; without, it reads nothing.
		"read.parquet.vectorization.enabled": "false",
		table.DefaultWriteMetricsModeKey:     textMetrics,
		table.MetadataPreviousVersionsMaxKey: strconv.Itoa(keptVersions),
	})
}

// create begins a table with the columns of its first files.
func (h *history) create(names []string) (*table.MetadataBuilder, error) {
	b, err := table.NewMetadataBuilder(formatVersion)
	if err != nil {
		return nil, err
	}
	schema := h.columns.schema(names)
	spec := *iceberg.UnpartitionedSpec
	if day, found := schema.FindFieldByName(h.day); found && h.day != "" {
		spec = iceberg.NewPartitionSpec(iceberg.PartitionField{
			SourceIDs: []int{day.ID}, FieldID: iceberg.PartitionDataIDStart, Name: "month", Transform: iceberg.MonthTransform{},
		})
	}
	unsorted := table.UnsortedSortOrder
	return b, errors.Join(
		b.SetUUID(h.uuid),
		b.SetLoc(h.at),
		b.AddSchema(schema), b.SetCurrentSchemaID(-1),
		b.AddPartitionSpec(&spec, true), b.SetDefaultSpecID(-1),
		b.AddSortOrder(&unsorted), b.SetDefaultSortOrderID(-1),
	)
}

// file names a new file of the table's metadata.
func (h *history) file(what string) string {
	h.serial++
	return fmt.Sprintf("%s/metadata/%0*d-%s-%d-%s.avro", h.at, versionDigits, h.version, h.id, h.serial, what)
}

// snapshot writes the manifest and the list of manifests, and adds the snapshot to the metadata.
func (h *history) snapshot(b *table.MetadataBuilder, commit *lake.Commit, c change) error {
	s := table.Snapshot{
		SnapshotID: snapshotID(h.uuid, commit.Number), SequenceNumber: 1, TimestampMs: commit.CreatedAt.UnixMilli(),
		ManifestList: h.file("list"), Summary: h.summary(commit, c),
	}
	schema := b.CurrentSchema()
	s.SchemaID = &schema.ID
	if h.meta != nil {
		s.SequenceNumber = h.meta.LastSequenceNumber() + 1
		// Clocks of two writers differ; a table's time only goes on, and no engine accepts a snapshot from a minute ago.
		s.TimestampMs = max(s.TimestampMs, h.meta.LastUpdatedMillis()-maxBackwards.Milliseconds())
		if parent := h.meta.CurrentSnapshot(); parent != nil {
			s.ParentSnapshotID = &parent.SnapshotID
			s.TimestampMs = max(s.TimestampMs, parent.TimestampMs+1)
		}
	}
	manifests := c.whole
	written, err := h.manifest(b, s.SnapshotID, c)
	if err != nil {
		return err
	}
	if written != nil {
		manifests = append(manifests, written)
	}
	var list bytes.Buffer
	if err := iceberg.WriteManifestList(formatVersion, &list, s.SnapshotID, s.ParentSnapshotID, &s.SequenceNumber, 0, manifests); err != nil {
		return fmt.Errorf("write a list of manifests: %w", err)
	}
	h.files.put(s.ManifestList, list.Bytes())
	if err := errors.Join(
		b.AddSnapshot(&s),
		b.SetSnapshotRef(table.MainBranch, s.SnapshotID, table.BranchRef),
		b.SetSnapshotRef(tagOf(commit.Number), s.SnapshotID, table.TagRef),
	); err != nil {
		return err
	}
	if h.meta, err = b.Build(); err != nil {
		return err
	}
	h.from = "" // one stored version goes before the one that is made, however many snapshots it adds
	h.made++
	return nil
}

// maxBackwards is how far behind a table's last change a snapshot may be dated; Iceberg allows a minute.
const maxBackwards = 50 * time.Second

// tagOf is the tag of one of our commits.
func tagOf(commit int64) string { return "commit-" + strconv.FormatInt(commit, 10) }

// manifest writes one with all that a snapshot adds and drops, and what lay beside what it drops; nil where that is nothing.
func (h *history) manifest(b *table.MetadataBuilder, snapshot int64, c change) (iceberg.ManifestFile, error) {
	if len(c.added)+len(c.removed)+len(c.stay) == 0 {
		return nil, nil //nolint:nilnil // a table whose files are all gone, and were told of before
	}
	spec, err := b.CurrentSpec()
	if err != nil {
		return nil, err
	}
	schema, properties := b.CurrentSchema(), iceberg.Properties{}
	for _, f := range schema.Fields() {
		if _, text := f.Type.(iceberg.StringType); text {
			properties[table.MetricsModeColumnConfPrefix+"."+f.Name] = textMetrics
		}
	}
	properties[table.DefaultWriteMetricsModeKey] = otherMetrics
	var body bytes.Buffer
	w, err := iceberg.NewManifestWriter(formatVersion, &body, *spec, schema, snapshot)
	if err != nil {
		return nil, err
	}
	for _, e := range c.stay {
		if err := w.Existing(e); err != nil {
			return nil, err
		}
	}
	for _, e := range c.removed {
		if err := w.Delete(e); err != nil {
			return nil, err
		}
	}
	for _, location := range c.added {
		described, err := table.FileToDataFile(h.files.ctx, h.files, location, schema, *spec, 0, properties)
		if err != nil {
			return nil, fmt.Errorf("object %s: %w", location, err)
		}
		if err := w.Add(iceberg.NewManifestEntry(iceberg.EntryStatusADDED, &snapshot, nil, nil, described)); err != nil {
			return nil, fmt.Errorf("object %s: %w", location, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	location := h.file("manifest")
	h.files.put(location, body.Bytes())
	return w.ToManifestFile(location, int64(body.Len()))
}

// summary says of a snapshot what engines show of it.
func (h *history) summary(commit *lake.Commit, c change) *table.Summary {
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	p := iceberg.Properties{
		commitKey: count(commit.Number), kindKey: string(commit.Kind),
		"added-data-files": strconv.Itoa(len(c.added)), "deleted-data-files": strconv.Itoa(len(c.removed)),
		"total-data-files": strconv.Itoa(c.files), "total-records": count(c.rows), "total-files-size": count(c.bytes),
		"total-delete-files": "0", "total-position-deletes": "0", "total-equality-deletes": "0",
	}
	if mart, ok := commit.Marts[h.name.name]; ok && h.name.namespace == martsNamespace {
		p[inputKey] = count(mart.Input)
	}
	operation := table.OpOverwrite
	switch {
	case len(c.removed) == 0:
		operation = table.OpAppend
	case len(c.added) == 0:
		operation = table.OpDelete
	}
	return &table.Summary{Operation: operation, Properties: p}
}
