package sandbox

import (
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the list of functions in docs/analysts.md")

func TestTheFunctionsAreListed(t *testing.T) {
	const file, from, to = "../../docs/analysts.md", "-update` -->\n", "<!-- end of functions -->"
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	begin, end := strings.Index(text, from)+len(from), strings.Index(text, to)
	if begin < len(from) || end < begin {
		t.Fatal("the list's place is not there")
	}
	word := regexp.MustCompile(`^[a-z]`)
	names := slices.DeleteFunc(Functions(), func(name string) bool { return !word.MatchString(name) })
	want := "`" + strings.Join(names, " ") + "`\n"
	if *update {
		if err := os.WriteFile(file, []byte(text[:begin]+want+text[end:]), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text[begin:end] != want {
		t.Error("docs/analysts.md is stale: go test ./warehouse/sandbox -run TestTheFunctionsAreListed -update")
	}
}

// A name that DuckDB does not have would be a slip of the pen, and one that it has for something else a hole.
func TestTheListsAreOfDuckDB(t *testing.T) {
	db := parserDB(t)
	rows, err := db.Query(`select function_name, list(distinct function_type) from duckdb_functions() group by all`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	kinds := map[string]bool{}
	for rows.Next() {
		var name string
		var of any
		if err := rows.Scan(&name, &of); err != nil {
			t.Fatal(err)
		}
		for _, kind := range of.([]any) {
			kinds[lower(name)+" "+kind.(string)] = true
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	// The parser has these of its own.
	parsed := set("unnest generate_subscripts // ** -> fill")
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		if !parsed[name] && !kinds[name+" scalar"] && !kinds[name+" aggregate"] && !kinds[name+" macro"] {
			t.Errorf("DuckDB has no function %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(windowFunctions)) {
		if !parsed[name] && !kinds[name+" aggregate"] && !kinds[name+" macro"] {
			t.Errorf("DuckDB has no function %s over a window", name)
		}
	}
	for name := range tableFunctions {
		if !kinds[name+" table"] {
			t.Errorf("DuckDB has no table function %s", name)
		}
	}
	for _, name := range []string{"getenv", "current_setting", "getvariable", "nextval", "currval", "read_text", "query", "json_execute_serialized_sql", "write_log",
		"current_query", "sleep_ms", "pg_sleep", "setseed", "enable_logging", "checkpoint", "glob", "icu_sort_key", "json_serialize_sql"} {
		if functions[name] || windowFunctions[name] || tableFunctions[name] {
			t.Errorf("%s is on a list", name)
		}
	}
}
