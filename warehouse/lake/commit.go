package lake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// Kind says what made a commit.
type Kind string

// Kinds of commit.
const (
	Ingest Kind = "ingest" // rows came in
	Build  Kind = "build"  // models were built
	Rekey  Kind = "rekey"  // pseudonyms were brought to another key

	Compaction Kind = "compact" // partitions were written anew in the present layout
)

// commitFormat is raised when a program that does not know a change would go wrong by ignoring it: by misreading a commit,
// or by writing the next one without something that must be carried on. Fields that may be ignored need no new format.
const commitFormat = 4

// format is the oldest format that says all that the commit says. Before format 2 nobody carried KeyVersion on, before
// format 3 nobody knew of encryption, nor carried Closed on, before format 4 nobody followed redirects, nor kept an erased patient
// from landing again.
func (c *Commit) format() int {
	switch {
	case c.Erasures > 0:
		return 4
	case c.Encrypted(), len(c.Closed) > 0:
		return 3
	case c.KeyVersion > 1:
		return 2
	default:
		return 1
	}
}

// Commit names everything that is live in one clinic at one moment. It is immutable; readers hold on to one and see
// one moment, whatever is committed meanwhile.
type Commit struct {
	// Format is the format the commit was written in.
	Format int `json:"format"`
	// Number counts commits of a clinic from 1, without gaps. Parent is the number before it, 0 for the first.
	Number int64 `json:"number"`
	Parent int64 `json:"parent"`
	// CreatedAt is by the writer's clock, in UTC.
	CreatedAt time.Time `json:"created_at"`
	Kind      Kind      `json:"kind"`
	// Writer is random: it tells a writer whose request failed without an answer whether the commit is its own.
	Writer string `json:"writer"`
	// AsOf is the newest day that the imported reports speak about, zero before the first report.
	AsOf civil.Date `json:"as_of,omitzero"`
	// KeyVersion is the version of the keys that all pseudonyms in it were made with; 0 stands for 1.
	KeyVersion int `json:"key_version,omitempty"`
	// Encryption says how its objects lie; nothing, in commits from before there was a choice, is Unencrypted.
	Encryption Encryption `json:"encryption,omitempty"`

	// Datasets and Marts are by name.
	Datasets map[string]Dataset `json:"datasets,omitempty"`
	Marts    map[string]Mart    `json:"marts,omitempty"`
	// Sources are the checkpoints, by source; each source knows what its own means.
	Sources map[string]json.RawMessage `json:"sources,omitempty"`
	// Settings is the clinic's settings that this commit was made with, nil before any were stored.
	Settings *Object `json:"settings,omitempty"`
	// Released is what was decided to tell in aggregates, and has to be remembered for the next time; nil before any build.
	Released *Object `json:"released,omitempty"`
	// Closed are the months whose figures were published, by month (YYYY-MM).
	Closed map[string]Closing `json:"closed,omitempty"`
	// Built is a hash of all that the last build of every mart saw, in its maker's terms: where it is the same again, so are the marts.
	Built string `json:"built,omitempty"`
	// Erasures counts the erasures of patients up to this commit. Whoever brings rows asks whom they may not bring.
	Erasures int64 `json:"erasures,omitempty"`
	// Checks are what the last build found.
	Checks []Check `json:"checks,omitempty"`
	// Quarantine counts the rows that each dataset's last report lost to validation, by reason.
	Quarantine map[string]map[string]int64 `json:"quarantine,omitempty"`
}

// Dataset is what is live of one dataset.
type Dataset struct {
	// Objects are in order of month; a month has at most one.
	Objects []Object `json:"objects,omitempty"`
	// Removed lists what is known to be gone; nil where nothing is.
	Removed *Object `json:"removed,omitempty"`
	// Covers say when each day was last covered by a complete report, in order and without overlap. From and To are
	// zero for a dataset whose rows belong to no month.
	Covers []Coverage `json:"covers,omitempty"`
}

// Coverage is Cover as a commit keeps it.
type Coverage struct {
	From       civil.Date `json:"from,omitzero"`
	To         civil.Date `json:"to,omitzero"`
	ObservedOn civil.Date `json:"observed_on"`
}

// Mart is one table that the models made.
type Mart struct {
	Object
	Origin
}

// Origin says where a mart comes from.
type Origin struct {
	// Input is the number of the commit that it was made from, AsOf the day it speaks about.
	Input int64      `json:"input"`
	AsOf  civil.Date `json:"as_of"`
	// Made is a hash of all that it was made of, Of a short one of each part, by name; empty where its maker did not say.
	Made string            `json:"made,omitempty"`
	Of   map[string]string `json:"of,omitempty"`
}

// Object is one immutable object as a commit names it.
type Object struct {
	// Path is relative to the clinic's prefix.
	Path string `json:"path"`
	// Month is YYYY-MM, "undated", or empty where the object is no month's.
	Month string `json:"month,omitempty"`
	Bytes int64  `json:"bytes"`
	Rows  int64  `json:"rows,omitempty"`
	// Sealed says that the object is sealed under a key of its dataset's own.
	Sealed bool `json:"sealed,omitempty"`
	// Key names the key that the object is encrypted under, in an encrypted clinic, and Sum is the SHA-256 of its stored bytes
	// then. Bytes counts plain bytes of an object that is sealed whole, and stored ones of any other.
	Key string `json:"key,omitempty"`
	Sum string `json:"sum,omitempty"`
	// Schema tells one set of columns from another.
	Schema string `json:"schema,omitempty"`
	// Totals are the sums of the columns that hold cents.
	Totals map[string]int64 `json:"totals,omitempty"`

	// erased says that it has taken the place of another, without the rows of a patient: the rest is what a commit says of that.
	erased bool
}

// Check is the outcome of one check of the models.
type Check struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	// Detail says in words what was found; it names nobody.
	Detail string `json:"detail,omitempty"`
	// Input is the number of the commit that was checked.
	Input int64 `json:"input"`
}

// Rows counts the rows of a dataset.
func (d Dataset) Rows() int64 {
	var n int64
	for _, o := range d.Objects {
		n += o.Rows
	}
	return n
}

// coverage is the covers in the form that Upsert works with.
func (d Dataset) coverage() coverage {
	out := make(coverage, 0, len(d.Covers))
	for _, c := range d.Covers {
		s := span{from: noDay, to: noDay, observed: contract.DayOf(c.ObservedOn)}
		if c.From.IsValid() {
			s.from, s.to = contract.DayOf(c.From), contract.DayOf(c.To)
		}
		out = append(out, s)
	}
	return out
}

func (c coverage) stored() []Coverage {
	out := make([]Coverage, 0, len(c))
	for _, s := range c {
		stored := Coverage{ObservedOn: contract.DateOf(s.observed)}
		if s.from != noDay {
			stored.From, stored.To = contract.DateOf(s.from), contract.DateOf(s.to)
		}
		out = append(out, stored)
	}
	return out
}

// next is a copy of a commit to work on, as its successor; of nil, the first commit.
func (c *Commit) next() *Commit {
	if c == nil {
		return &Commit{Number: 1}
	}
	n := *c
	n.Parent, n.Number = c.Number, c.Number+1
	n.Datasets = maps.Clone(c.Datasets)
	n.Marts = maps.Clone(c.Marts)
	n.Sources = maps.Clone(c.Sources)
	n.Checks = slices.Clone(c.Checks)
	n.Quarantine = maps.Clone(c.Quarantine)
	n.Closed = maps.Clone(c.Closed)
	return &n // what lies deeper is replaced as a whole, never changed in place
}

// objects yields everything that the commit names.
func (c *Commit) objects(yield func(Object) bool) {
	for _, name := range slices.Sorted(maps.Keys(c.Datasets)) {
		d := c.Datasets[name]
		for _, o := range d.Objects {
			if !yield(o) {
				return
			}
		}
		if d.Removed != nil && !yield(*d.Removed) {
			return
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Marts)) {
		if !yield(c.Marts[name].Object) {
			return
		}
	}
	for _, month := range slices.Sorted(maps.Keys(c.Closed)) {
		closing := c.Closed[month]
		if !yield(closing.Object) {
			return
		}
		if closing.Restated != nil && !yield(*closing.Restated) {
			return
		}
	}
	for _, o := range []*Object{c.Settings, c.Released} {
		if o != nil && !yield(*o) {
			return
		}
	}
}

// commitDigits makes the names of commits sort by number, for longer than any lake lives.
const commitDigits = 12

func commitName(number int64) string {
	return fmt.Sprintf("commits/%0*d.json", commitDigits, number)
}

// commitNumber is the inverse of commitName; 0 for another name.
func commitNumber(name string) int64 {
	digits, ok := strings.CutSuffix(strings.TrimPrefix(name, "commits/"), ".json")
	if !ok || len(digits) != commitDigits {
		return 0
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 || commitName(n) != name {
		return 0
	}
	return n
}

var (
	datasetName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	monthName   = regexp.MustCompile(`^(\d{4}-(0[1-9]|1[0-2])|undated)$`)
	hashName    = regexp.MustCompile(`^[a-z2-7]{52}$`)
)

// ErrDamaged is in the chain of every error about an object or a commit whose bytes are not what they must be.
var ErrDamaged = errors.New("damaged")

// EncodeCommit is the stored form of a commit.
func EncodeCommit(c *Commit) ([]byte, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode commit %d: %w", c.Number, err)
	}
	return append(body, '\n'), nil
}

// DecodeCommit reads a stored commit. Fields that it does not know are passed over; a format that it does not know, and
// anything that a commit cannot say, is an error.
func DecodeCommit(body []byte) (*Commit, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	// The format comes first and by itself: the rest of a newer one may not even parse.
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if head.Format > commitFormat {
		return nil, fmt.Errorf("the commit has format %d, this program knows %d: use a newer falloff", head.Format, commitFormat)
	}
	c := new(Commit)
	if err := dec.Decode(c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the commit", ErrDamaged)
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return c, nil
}

// validate says what a commit may not say: mostly that a path leads anywhere but to where objects of its sort lie.
func (c *Commit) validate() error {
	switch {
	case c.Format < 1:
		return fmt.Errorf("format %d", c.Format)
	case c.Number < 1 || c.Parent != c.Number-1:
		return fmt.Errorf("number %d after %d", c.Number, c.Parent)
	case c.Kind == "":
		return errors.New("no kind")
	case c.KeyVersion < 0:
		return fmt.Errorf("key version %d", c.KeyVersion)
	}
	if err := c.validateEncryption(); err != nil {
		return err
	}
	for name, d := range c.Datasets {
		if !datasetName.MatchString(name) {
			return fmt.Errorf("dataset %q", name)
		}
		month := ""
		for _, o := range d.Objects {
			if !monthName.MatchString(o.Month) || o.Month <= month {
				return fmt.Errorf("dataset %s: month %q after %q", name, o.Month, month)
			}
			month = o.Month
			if err := o.validate("data/"+name+"/month="+o.Month+"/", ".parquet"); err != nil {
				return fmt.Errorf("dataset %s: %w", name, err)
			}
		}
		if d.Removed != nil {
			if err := d.Removed.validate("data/"+name+"/removed/", ".parquet"); err != nil {
				return fmt.Errorf("dataset %s: %w", name, err)
			}
		}
		if err := validateCovers(d.Covers); err != nil {
			return fmt.Errorf("dataset %s: %w", name, err)
		}
	}
	for name, m := range c.Marts {
		if !datasetName.MatchString(name) {
			return fmt.Errorf("mart %q", name)
		}
		if err := m.validate("marts/"+name+"/", ".parquet"); err != nil {
			return fmt.Errorf("mart %s: %w", name, err)
		}
		if m.Input < 1 || m.Input >= c.Number {
			return fmt.Errorf("mart %s of commit %d is said to be made from commit %d", name, c.Number, m.Input)
		}
	}
	for month, closing := range c.Closed {
		if err := closing.validate(month, c.Number); err != nil {
			return err
		}
	}
	if c.Settings != nil {
		if err := c.Settings.validate("settings/", ""); err != nil {
			return fmt.Errorf("settings: %w", err)
		}
	}
	if c.Released != nil {
		if err := c.Released.validate("released/", ""); err != nil {
			return fmt.Errorf("released tables: %w", err)
		}
	}
	return nil
}

func (o Object) validate(folder, ending string) error {
	hash, ok := strings.CutPrefix(o.Path, folder)
	hash, ok2 := strings.CutSuffix(hash, ending)
	if !ok || !ok2 || !hashName.MatchString(hash) {
		return fmt.Errorf("object %q is not of the form %s<hash>%s", o.Path, folder, ending)
	}
	if o.Bytes < 0 || o.Rows < 0 {
		return fmt.Errorf("object %s has %d bytes and %d rows", o.Path, o.Bytes, o.Rows)
	}
	return nil
}

func validateCovers(covers []Coverage) error {
	var last civil.Date
	for i, c := range covers {
		undated := c.From == civil.Date{} && c.To == civil.Date{}
		switch {
		case !plausible(c.ObservedOn):
			return fmt.Errorf("cover observed on %v", c.ObservedOn)
		case undated && i > 0:
			return errors.New("two covers of rows without a day")
		case undated:
			continue
		case !plausible(c.From) || !plausible(c.To) || c.To.Before(c.From) || i > 0 && !c.From.After(last):
			return fmt.Errorf("cover from %v to %v after %v", c.From, c.To, last)
		}
		last = c.To
	}
	return nil
}

// plausible says whether a day has four digits of year, as month folders have.
func plausible(d civil.Date) bool {
	return d.IsValid() && d.Year >= 1000 && d.Year <= 9999
}
