package iceberg

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Namespaces of a clinic's tables, named as the schemas of `falloff sql`.
const (
	lakeNamespace  = "lake"
	martsNamespace = "marts"
)

// tableName is the name of a table in a clinic's catalog.
type tableName struct{ namespace, name string }

func (n tableName) String() string { return n.namespace + "." + n.name }

// folder is where the table lies in the clinic's prefix.
func (n tableName) folder() string { return folder + n.namespace + "/" + n.name }

// folder holds everything of this package in a clinic's prefix.
const folder = "iceberg/"

// located is an object with the location that other engines find it by.
type located struct {
	lake.Object

	location string
}

// contents are the tables that a commit has, with their objects. What a dataset seals under a key of its own is never among them.
// In the place of objects that lost the rows of an erased patient stand the others, and nothing where no row is left.
func contents(f *files, clinic *lake.Clinic, commit *lake.Commit, replaced map[string]lake.Object) map[tableName][]located {
	out := map[tableName][]located{}
	add := func(n tableName, objects ...lake.Object) {
		list := make([]located, 0, len(objects))
		for _, o := range objects {
			if o.Sealed {
				return
			}
			if other, found := replaced[o.Path]; found {
				if o = other; o.Rows == 0 {
					continue
				}
			}
			list = append(list, located{Object: o, location: f.location(clinic.Name(o.Path))})
		}
		out[n] = list
	}
	for name, d := range commit.Datasets {
		add(tableName{lakeNamespace, name}, d.Objects...)
	}
	for name, m := range commit.Marts {
		add(tableName{martsNamespace, name}, m.Object)
	}
	return out
}

// same says whether two commits have the same objects in a table.
func same(a, b []located) bool {
	return slices.EqualFunc(a, b, func(a, b located) bool { return a.location == b.location })
}

// names are those of all tables in any of the moments, in order.
func names(all []moment) []tableName {
	seen := map[tableName]bool{}
	for _, m := range all {
		for n := range m.tables {
			seen[n] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b tableName) int {
		return slices.Compare([]string{a.namespace, a.name}, []string{b.namespace, b.name})
	})
}

var (
	// ErrEncrypted is returned for a lake whose objects another engine could not read.
	ErrEncrypted = errors.New("the lake is encrypted by us, with keys that no other engine has: " +
		"Iceberg tables are for S3 lakes and for local lakes that are declared unencrypted; `falloff export` gives the rows to another engine")
	// ErrMoved is returned for a table whose metadata names files in another place than the lake's.
	ErrMoved = errors.New("the table's metadata was made for a lake in another place: `falloff lake iceberg --rebuild` makes it anew for this one")
	// ErrForeign is returned for a table that somebody else has written to.
	ErrForeign = errors.New("another program has written to the table: `falloff lake iceberg --rebuild` brings back what our commits say")
)

// refusedBecause says why a commit of a clinic cannot be described to other engines; nil where it can.
func refusedBecause(clinic *lake.Clinic, commit *lake.Commit) error {
	if !clinic.Plain() || commit.Encrypted() {
		return fmt.Errorf("clinic %s: %w", clinic.ID(), ErrEncrypted)
	}
	return nil
}

// Warehouse is the location of a clinic's tables, as a Hadoop catalog is given it.
func Warehouse(clinic *lake.Clinic) string {
	return rootOf(clinic.Store()) + clinic.Name(strings.TrimSuffix(folder, "/"))
}
