package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Form is the form of the files.
type Form string

// The forms.
const (
	CSV     Form = "csv"
	JSON    Form = "json"
	Parquet Form = "parquet"
)

// Forms lists them.
func Forms() []Form { return []Form{CSV, JSON, Parquet} }

// ending is what file names end in.
func (f Form) ending() string {
	if f == JSON {
		return ".jsonl"
	}
	return "." + string(f)
}

const (
	manifestFormat  = "falloff export"
	manifestVersion = 2
	// plainVersion is written where nothing is in the manifest that came with a later one, so that older versions of falloff read it.
	plainVersion = 1
	// ManifestName is the file by which a folder is known for an export.
	ManifestName = "manifest.json"
	settingsName = "clinic.yaml"
)

// Manifest says what lies in an export, and what belongs to the rows without being one.
type Manifest struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Clinic  string `json:"clinic"`
	// Commit is the commit that was exported, of the lake that it was exported from.
	Commit      int64     `json:"commit"`
	CommittedAt time.Time `json:"committed_at"`
	ExportedAt  time.Time `json:"exported_at"`
	Form        Form      `json:"form"`
	// Rules say how values are written, for whoever reads the files without falloff.
	Rules []string `json:"rules"`
	// AsOf is the newest day that the reports show.
	AsOf civil.Date `json:"as_of,omitzero"`
	// KeyVersion and KeyCheck tell the keys that the pseudonyms were made with from others; nothing about them follows.
	KeyVersion int    `json:"key_version"`
	KeyCheck   string `json:"key_check"`
	// LeftOut names what the commit has and the export has not, and why.
	LeftOut map[string]string `json:"left_out,omitempty"`
	// Refused are the refusals of erased patients: keyed hashes, by which whoever imports the export keeps them out as well. It came with
	// version 2: an older falloff, which would bring erased patients back, says that it is too old.
	Refused []string `json:"refused,omitempty"`
	// Sources are the checkpoints of the commit.
	Sources    map[string]json.RawMessage  `json:"sources,omitempty"`
	Quarantine map[string]map[string]int64 `json:"quarantine,omitempty"`
	Settings   *File                       `json:"settings,omitempty"`
	Datasets   map[string]Dataset          `json:"datasets,omitempty"`
	Marts      map[string]Mart             `json:"marts,omitempty"`
	// Others are files for people: README.txt, dictionary.json.
	Others []File `json:"others,omitempty"`
}

// File is one file of an export.
type File struct {
	// Path is relative to the export, with slashes.
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	Rows   int64  `json:"rows,omitempty"`
	SHA256 string `json:"sha256"`
}

// Dataset is what an export has of one dataset.
type Dataset struct {
	Files []File `json:"files"`
	Rows  int64  `json:"rows"`
	// Totals are the sums of the columns that hold cents.
	Totals map[string]int64 `json:"totals,omitempty"`
	Covers []lake.Coverage  `json:"covers,omitempty"`
	// Removed lists digests of what is known to be gone.
	Removed *File `json:"removed,omitempty"`
}

// Mart is one table that the models made.
type Mart struct {
	File
	AsOf civil.Date `json:"as_of"`
	// Current says that it was made from the newest data.
	Current bool `json:"current"`
}

// version is the lowest that has what is in the manifest.
func (m *Manifest) version() int {
	if len(m.Refused) > 0 {
		return manifestVersion
	}
	return plainVersion
}

// files lists every file but the manifest.
func (m *Manifest) files() []File {
	var out []File
	for _, name := range slices.Sorted(maps.Keys(m.Datasets)) {
		d := m.Datasets[name]
		out = append(out, d.Files...)
		if d.Removed != nil {
			out = append(out, *d.Removed)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Marts)) {
		out = append(out, m.Marts[name].File)
	}
	if m.Settings != nil {
		out = append(out, *m.Settings)
	}
	return append(out, m.Others...)
}

// Rows counts the rows of all datasets and marts, Files the files.
func (m *Manifest) Rows() (rows int64, files int) {
	for _, d := range m.Datasets {
		rows += d.Rows
	}
	for _, mart := range m.Marts {
		rows += mart.Rows
	}
	return rows, len(m.files()) + 1
}

// ErrNotAnExport is returned for a manifest that is none, or says what none can say.
var ErrNotAnExport = errors.New("it is not the manifest of an export")

const (
	maxManifest = 64 << 20
	// maxMonth is the most rows of one Parquet file that are read: a busy clinic has some ten thousand a month.
	maxMonth = 5_000_000
)

var (
	tableName  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	monthName  = regexp.MustCompile(`^(\d{4}-(0[1-9]|1[0-2])|undated)$`)
	sha256Text = regexp.MustCompile(`^[0-9a-f]{64}$`)
	refusal    = regexp.MustCompile(`^[a-z2-7]{52}$`)
)

// DecodeManifest reads a manifest, and refuses one that leads out of its folder or contradicts itself.
func DecodeManifest(body []byte) (*Manifest, error) {
	if len(body) > maxManifest {
		return nil, fmt.Errorf("%w: it has more than %d MB", ErrNotAnExport, maxManifest>>20)
	}
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(body, &head); err != nil || head.Format != manifestFormat {
		return nil, ErrNotAnExport
	}
	if head.Version > manifestVersion {
		return nil, fmt.Errorf("the export has version %d, this program reads %d: use a newer falloff", head.Version, manifestVersion)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	m := new(Manifest)
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotAnExport, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows it", ErrNotAnExport)
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotAnExport, err)
	}
	return m, nil
}

// MartsAlone says that it is no whole export, but marts that were built for a folder.
func (m *Manifest) MartsAlone() bool { return len(m.Datasets) == 0 && len(m.Marts) > 0 }

func (m *Manifest) validate() error {
	switch {
	case m.Version < 1:
		return fmt.Errorf("version %d", m.Version)
	case !slices.Contains(Forms(), m.Form):
		return fmt.Errorf("form %.20q", m.Form)
	case m.KeyVersion < 1:
		return fmt.Errorf("key version %d", m.KeyVersion)
	case (m.AsOf != civil.Date{}) && !m.AsOf.IsValid():
		return errors.New("as_of is no day")
	}
	if _, err := lake.ParseClinicID(m.Clinic); err != nil {
		return err
	}
	for name, d := range m.Datasets {
		if _, known := contract.Find(name); !known {
			return fmt.Errorf("there is no dataset %.60q: the export is of a newer falloff, or was changed", name)
		}
		if err := m.validateDataset(name, d); err != nil {
			return fmt.Errorf("dataset %s: %w", name, err)
		}
	}
	for name, mart := range m.Marts {
		switch {
		case !tableName.MatchString(name):
			return fmt.Errorf("mart %.60q", name)
		case mart.Path != "marts/"+name+m.Form.ending():
			return fmt.Errorf("mart %s lies in %.100q", name, mart.Path)
		case !mart.AsOf.IsValid():
			return fmt.Errorf("mart %s is as of no day", name)
		}
	}
	for i, hash := range m.Refused {
		if !refusal.MatchString(hash) || i > 0 && hash <= m.Refused[i-1] {
			return fmt.Errorf("refusal %d is no keyed hash, or not in order", i+1)
		}
	}
	if m.Settings != nil && m.Settings.Path != settingsName {
		return fmt.Errorf("the settings lie in %.100q", m.Settings.Path)
	}
	for _, f := range m.Others {
		if f.Path != readmeName && f.Path != dictionaryName {
			return fmt.Errorf("there is a file %.100q", f.Path)
		}
	}
	for _, f := range m.files() {
		if f.Bytes < 0 || f.Rows < 0 || !sha256Text.MatchString(f.SHA256) {
			return fmt.Errorf("the file %s has no size or digest", f.Path)
		}
	}
	return nil
}

func (m *Manifest) validateDataset(name string, d Dataset) error {
	rows, month := int64(0), ""
	for _, f := range d.Files {
		if rows += f.Rows; f.Rows < 0 || rows < 0 {
			return errors.New("it has less than no rows")
		}
		if m.Form != Parquet {
			if f.Path != "datasets/"+name+m.Form.ending() || len(d.Files) > 1 {
				return fmt.Errorf("it lies in %.100q", f.Path)
			}
			continue
		}
		in, ok := strings.CutPrefix(strings.TrimSuffix(f.Path, m.Form.ending()), "datasets/"+name+"/")
		if !ok || !monthName.MatchString(in) || in <= month || f.Path != "datasets/"+name+"/"+in+m.Form.ending() {
			return fmt.Errorf("it lies in %.100q", f.Path)
		}
		if month = in; f.Rows > maxMonth {
			return fmt.Errorf("%s is said to have %d rows: %d are read", f.Path, f.Rows, maxMonth)
		}
	}
	switch {
	case rows != d.Rows:
		return fmt.Errorf("it is said to have %d rows, its files %d", d.Rows, rows)
	case d.Removed != nil && d.Removed.Path != "removed/"+name+".csv":
		return fmt.Errorf("what is removed lies in %.100q", d.Removed.Path)
	}
	return nil
}

// Rules is how values are written, in sentences.
func Rules(form Form) []string {
	rules := []string{
		"Money is whole cents, in columns that end in _cents. Days are local days of the clinic, as YYYY-MM-DD. Instants are UTC.",
		"Pseudonyms (p1_…) are the same for the same person in all files, and mean nothing outside of this clinic.",
	}
	switch form {
	case CSV:
		rules = append(rules,
			"CSV is RFC 4180: UTF-8, comma, double quotes, CRLF behind each record, the first record names the columns. Truth values are true and false.",
			"An empty cell of a column that may be null is null. A text that is empty there, and any text of nothing but apostrophes, has one apostrophe more than the text.",
			"No text begins a formula in a spreadsheet: at the beginning of a text, and behind ';', '|', tab and line ends inside it, an apostrophe more stands before a sign that could begin one (= + - @, those of full width, tab, carriage return), also behind blanks and what cannot be seen. To have the text itself, take one apostrophe away wherever apostrophes stand there before such a sign.",
		)
	case JSON:
		rules = append(rules, "Each line is one JSON object, its members in the order of the columns. null is null; days and instants are strings.")
	case Parquet:
		rules = append(rules, "A dataset has a Parquet file a month (by the day that the dictionary's grain speaks of; undated where rows have none), compressed with zstd.")
	}
	return rules
}
