package lake

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"time"
)

// Store is a place that holds named, immutable objects. Names are slash-separated paths (see ValidName) relative to the
// store's root. All methods may be called from several goroutines and several processes at once.
//
// No method retries what the caller could not repeat; an implementation may retry a request by itself (the S3 client does),
// so an error, and even ErrExists, can come from an attempt that followed one that had succeeded unseen.
type Store interface {
	// Get returns the whole object, or ErrNotFound. An object that Create returned for is found by every later Get, from
	// any process.
	Get(ctx context.Context, name string) ([]byte, error)

	// GetRange returns exactly length bytes from offset. An object that ends before them is an error
	// (io.ErrUnexpectedEOF), an absent one ErrNotFound.
	GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error)

	// Create writes a new object. When it returns nil the object is whole, durable (it survives a power cut) and
	// visible to everyone. If the name is taken it returns ErrExists and changes nothing; of any number of concurrent
	// calls for one name at most one returns nil. Any other error means that it is not known whether the object was created,
	// but if it was, it is whole: never half of it. The caller may repeat the call, and
	// must then expect ErrExists from its own first attempt.
	Create(ctx context.Context, name string, body []byte) error

	// List yields the names that begin with prefix (any string, not only a folder) and come after the name given, in
	// ascending order of their bytes, fetching more as the caller goes on. It sees every object whose Create returned before
	// List began, and may or may not see those created or deleted meanwhile. An error ends the sequence.
	List(ctx context.Context, prefix, after string) iter.Seq2[string, error]

	// Entries is List with what the store knows of each object.
	Entries(ctx context.Context, prefix, after string) iter.Seq2[Entry, error]

	// Replace writes an object whether or not its name is taken: for what may be stale, and to make an object young again.
	// When it returns nil the object is whole and durable; while it runs, and after an error, a reader gets the former object
	// or the new one, never half of either.
	Replace(ctx context.Context, name string, body []byte) error

	// Delete removes the object. When it returns nil the object is gone for good; an object that is not there is no error.
	Delete(ctx context.Context, name string) error

	// String says where the store is, for messages: a path or an s3:// address. It holds no credential.
	String() string
}

// Entry is what a store knows of an object without reading it.
type Entry struct {
	Name  string
	Bytes int64
	// Modified is when the object was created or last replaced, by the store's clock.
	Modified time.Time
}

// NamesOf is a List made of Entries.
func NamesOf(entries iter.Seq2[Entry, error]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for e, err := range entries {
			if !yield(e.Name, err) {
				return
			}
		}
	}
}

// OnThisMachine says whether a store is a folder of this machine.
func OnThisMachine(store Store) bool {
	_, local := store.(interface{ LocalPath(name string) string })
	return local
}

// Operations, as errors name them.
const (
	opOpen    = "open"
	opGet     = "get"
	opCreate  = "create"
	opReplace = "replace"
	opList    = "list"
	opDelete  = "delete"
)

// ErrNotFound and ErrExists are what callers of a Store decide on; errors.Is finds them in what a Store returns.
var (
	ErrNotFound = errors.New("no such object")
	ErrExists   = errors.New("object exists already")
)

// StoreError says which operation on which object of which store failed, and what a person can do about it.
type StoreError struct {
	Op    string // what was asked for: get, create, replace, list, delete, open
	Name  string // the object, or the prefix of a list
	Store string
	Hint  string // empty where nothing useful can be said
	Err   error
}

func (e *StoreError) Error() string {
	s := e.Op
	if e.Name != "" {
		s += " " + e.Name
	}
	s += " in lake " + e.Store + ": " + e.Err.Error()
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

func (e *StoreError) Unwrap() error { return e.Err }

// segment begins with neither a dot (dot names are the directory store's own) nor a dash, and is free of anything that a
// shell, a URL or a case-insensitive file system could take for something else. Lower case alone keeps two names from
// meaning one file on macOS.
var segment = regexp.MustCompile(`^[a-z0-9_][a-z0-9=._-]*$`)

// ValidName reports why a string cannot name an object: it must be slash-separated segments of a-z, 0-9, '=', '.', '_' and
// '-', each beginning with a letter, digit or underscore, at most 900 bytes in all.
func ValidName(name string) error {
	if len(name) > 900 {
		return fmt.Errorf("object name of %d bytes: at most 900 are allowed", len(name))
	}
	for part := range strings.SplitSeq(name, "/") {
		if !segment.MatchString(part) || len(part) > 200 {
			return fmt.Errorf("object name %q: segment %q is not allowed (a-z, 0-9, '=', '.', '_', '-'; first a letter, digit or '_')", name, part)
		}
	}
	return nil
}

// OpenStore opens the store at a path of this machine, or at s3://bucket/prefix. A directory is made if it is missing; a
// bucket must exist. S3 takes endpoint, region and credentials from the usual AWS environment variables and files. It
// does one request to find out about a wrong setting now rather than in the middle of a run.
func OpenStore(ctx context.Context, location string) (Store, error) {
	scheme, rest, found := strings.Cut(location, "://")
	switch {
	case location == "":
		return nil, &StoreError{Op: opOpen, Store: `""`, Err: errors.New("no location given"), Hint: "give a directory, or s3://bucket/prefix"}
	case !found:
		return OpenDir(location)
	case scheme == "s3":
		bucket, prefix, _ := strings.Cut(rest, "/")
		return OpenS3(ctx, S3Location{Bucket: bucket, Prefix: prefix})
	case scheme == "file":
		return OpenDir(rest)
	default:
		return nil, &StoreError{Op: opOpen, Store: location, Err: fmt.Errorf("unknown kind of store %q", scheme), Hint: "give a directory, or s3://bucket/prefix"}
	}
}
