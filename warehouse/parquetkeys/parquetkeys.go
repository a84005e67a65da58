// Package parquetkeys has DuckDB read Parquet files where they lie, encrypted ones among them.
//
// A lake says of the files that it hands out which key each is encrypted under (lake.Local). Whoever opens a DuckDB over them
// gives it those keys once (Unlock) and reads the files by what Scan writes. In DuckDB a key has a name; the key itself shows
// in none of its settings, tables and messages, and no error of this package repeats it.
package parquetkeys

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// Keys are the keys of files. The zero value and nil are those of plain files. It never prints.
type Keys struct {
	keys  map[string]secret.Bytes // by name
	files map[string]string       // the name of a file's key, by path
}

// Add says that a file is encrypted under a key, which must have a name of letters, digits and '_'.
func (k *Keys) Add(path, name string, key secret.Bytes) {
	if k.keys == nil {
		k.keys, k.files = map[string]secret.Bytes{}, map[string]string{}
	}
	k.keys[name], k.files[path] = key, name
}

// Moved is the same keys for files that lie elsewhere.
func (k *Keys) Moved(to func(path string) string) *Keys {
	if k == nil {
		return nil
	}
	out := &Keys{keys: k.keys, files: map[string]string{}}
	for path, name := range k.files {
		out.files[to(path)] = name
	}
	return out
}

// Of gives the name and the key of a file, for who hands both to another process; "" where the file is plain.
func (k *Keys) Of(path string) (name string, key secret.Bytes) {
	if k == nil {
		return "", secret.Bytes{}
	}
	name = k.files[path]
	return name, k.keys[name]
}

// Format prints no key, whatever is asked for.
func (*Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(secret.Redacted)) }

// Unlock gives a DuckDB the keys, through a function that runs one statement. It must run before its settings are locked.
func (k *Keys) Unlock(ctx context.Context, exec func(ctx context.Context, statement string) error) error {
	if k == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(k.keys)) {
		var failed error
		k.keys[name].Borrow(func(key []byte) {
			failed = exec(ctx, "pragma add_parquet_key("+Quoted("falloff_"+name)+", "+Quoted(base64.StdEncoding.EncodeToString(key))+")")
		})
		if failed != nil {
			if err := ctx.Err(); err != nil {
				return err
			}
			return errors.New("giving DuckDB the key of encrypted files failed") // its message may repeat the statement
		}
	}
	return nil
}

// UnionByName is the option of read_parquet that takes files with other columns together: what one lacks is null.
const UnionByName = "union_by_name = true"

// Scan is the SQL relation of all rows of some files, in the form of a table function or a subquery. Options are those of
// read_parquet, such as `hive_partitioning = false`.
//
// BUG(parquetkeys): DuckDB 1.5 takes an encrypted file for a damaged one where it filters while it reads. The offset keeps
// plain filters out of the reading, at the price of reading row groups that their statistics would have left out; a join still
// gets through, so whoever asks more than once makes a table of it first.
//
// BUG(parquetkeys): DuckDB 1.5 fails on encrypted files with UnionByName, so each of them is a relation of its own where that is
// asked for.
func (k *Keys) Scan(paths []string, options ...string) string {
	byKey := map[string][]string{}
	for _, path := range paths {
		name := ""
		if k != nil {
			name = k.files[path]
		}
		byKey[name] = append(byKey[name], Quoted(path))
	}
	encryptedOptions := slices.DeleteFunc(slices.Clone(options), func(o string) bool { return o == UnionByName })
	var scans []string
	for _, name := range slices.Sorted(maps.Keys(byKey)) {
		if name == "" {
			scans = append(scans, readParquet(byKey[name], options))
			continue
		}
		arguments := append(slices.Clone(encryptedOptions), "encryption_config = {footer_key: "+Quoted("falloff_"+name)+"}")
		together := [][]string{byKey[name]}
		if len(encryptedOptions) < len(options) {
			together = slices.Collect(slices.Chunk(byKey[name], 1))
		}
		for _, files := range together {
			scans = append(scans, "(from "+readParquet(files, arguments)+" offset 0)")
		}
	}
	if len(scans) == 1 {
		return scans[0]
	}
	return "(from " + strings.Join(scans, " union all by name from ") + ")"
}

func readParquet(paths, options []string) string {
	return "read_parquet(" + strings.Join(append([]string{"[" + strings.Join(paths, ", ") + "]"}, options...), ", ") + ")"
}

// Quoted is a text as SQL writes it.
func Quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
