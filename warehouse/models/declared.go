package models

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Declared is what must hold of a model's rows: the .yaml file beside its .sql. sql/README.md says how one is written.
type Declared struct {
	// Columns are by their name; a column of which there is nothing to say need not be there.
	Columns map[string]DeclaredColumn `yaml:"columns"`
	// Rows must be true of every row.
	Rows []RowRule `yaml:"rows"`
	// Freshness says how old the newest day of a dataset may be at D.
	Freshness []FreshnessRule `yaml:"freshness"`

	file, text string
	// order is that of Columns in the file.
	order []string
}

// DeclaredColumn is what a column means, and what must hold of it.
type DeclaredColumn struct {
	// Description is what docs/schema.md says of a mart's column, in place of what package dictionary does.
	Description string `yaml:"description"`
	NotNull     bool   `yaml:"not_null"`
	// OneOf are all values that may occur; null is judged by NotNull alone.
	OneOf []string `yaml:"one_of"`
	// RefersTo is a column of another table, such as marts.patient_status.patient, that has every value of this one.
	RefersTo string `yaml:"refers_to"`
	// Severity is block where it is empty.
	Severity Severity `yaml:"severity"`
	Remedy   string   `yaml:"remedy"`
}

// RowRule is an SQL expression over the columns of one row. Null is not true.
type RowRule struct {
	Name     string   `yaml:"name"`
	Holds    string   `yaml:"holds"`
	Why      string   `yaml:"why"`
	Remedy   string   `yaml:"remedy"`
	Severity Severity `yaml:"severity"`
}

// FreshnessRule holds a dataset's newest day against D. A dataset without a row is not late: it was never brought home.
type FreshnessRule struct {
	// Of is a date of a dataset, such as lake.claims.observed_on.
	Of         string   `yaml:"of"`
	WithinDays int      `yaml:"within_days"`
	Remedy     string   `yaml:"remedy"`
	Severity   Severity `yaml:"severity"`
}

// Declared gives what the model's .yaml file says, and whether there is one.
func (m *Model) Declared() (Declared, bool) {
	if m.declared == nil {
		return Declared{}, false
	}
	return *m.declared, true
}

// loadDeclared reads the .yaml files of the models' folders into their models.
func loadDeclared(tree fs.FS, found []*Model) error {
	for _, layer := range []Layer{Staging, Intermediate, Marts} {
		files, err := fs.Glob(tree, string(layer)+"/*.yaml")
		if err != nil {
			return fmt.Errorf("listing what is declared of models in %s: %w", layer, err)
		}
		for _, file := range files {
			at := slices.IndexFunc(found, func(m *Model) bool { return m.File == strings.TrimSuffix(file, ".yaml")+".sql" })
			if at < 0 {
				return fmt.Errorf("%s has no model beside it: name it after one, %s", file, strings.TrimSuffix(path.Base(file), ".yaml")+".sql")
			}
			text, err := fs.ReadFile(tree, file)
			if err != nil {
				return fmt.Errorf("reading %s: %w", file, err)
			}
			d, err := readDeclared(file, text)
			if err != nil {
				return err
			}
			found[at].declared = d
		}
	}
	return nil
}

func readDeclared(file string, text []byte) (*Declared, error) {
	d := &Declared{file: file, text: string(text)}
	if err := yaml.UnmarshalWithOptions(text, d, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %s", file, yaml.FormatError(err, false, true))
	}
	var ordered struct {
		Columns yaml.MapSlice `yaml:"columns"`
	}
	if err := yaml.Unmarshal(text, &ordered); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, item := range ordered.Columns {
		d.order = append(d.order, fmt.Sprint(item.Key))
	}
	severities := map[string]Severity{}
	for name, c := range d.Columns {
		severities["column "+name] = c.Severity
	}
	seen := map[string]bool{}
	for i, r := range d.Rows {
		if r.Name == "" || r.Holds == "" || seen[r.Name] {
			return nil, fmt.Errorf("%s:%d: rule %d of rows needs a name of its own, and what `holds`", file, lineOfPath(text, fmt.Sprintf("$.rows[%d]", i)), i+1)
		}
		seen[r.Name] = true
		severities["rule "+r.Name] = r.Severity
	}
	for i, r := range d.Freshness {
		if schema, _, _ := cutColumn(r.Of); !strings.HasPrefix(schema, "lake.") || r.WithinDays <= 0 {
			return nil, fmt.Errorf("%s:%d: freshness needs `of`, such as lake.claims.observed_on, and `within_days`", file, lineOfPath(text, fmt.Sprintf("$.freshness[%d]", i)))
		}
		severities["freshness of "+r.Of] = r.Severity
	}
	for what, severity := range severities {
		if severity != "" && severity != Block && severity != Warn {
			return nil, fmt.Errorf("%s: %s: severity %q: write %s or %s", file, what, severity, Block, Warn)
		}
	}
	return d, nil
}

// cutColumn parts schema.table.column into table and column.
func cutColumn(name string) (table, column string, isColumn bool) {
	at := strings.LastIndex(name, ".")
	if at < 0 || !strings.Contains(name[:at], ".") {
		return "", "", false
	}
	return name[:at], name[at+1:], true
}

// lineOfPath is the line on which a value of a YAML text stands, 1 where it is not found.
func lineOfPath(text []byte, at string) int {
	where, err := yaml.PathString(at)
	if err != nil {
		return 1
	}
	node, err := where.ReadNode(strings.NewReader(string(text)))
	if err != nil || node.GetToken() == nil {
		return 1
	}
	return node.GetToken().Position.Line
}

// mayDeclare refuses references to what is gone when the model's rows are looked at, and expressions that are none.
func (m *Model) mayDeclare(ctx context.Context, db *stdsql.DB, known map[string]bool) error {
	d := m.declared
	if d == nil {
		return nil
	}
	for name, c := range d.Columns {
		if c.RefersTo == "" {
			continue
		}
		table, _, isColumn := cutColumn(c.RefersTo)
		switch isMart := strings.HasPrefix(table, string(Marts)+"."); {
		case !isColumn:
			return fmt.Errorf("%s: column %s refers to %s: write it as schema.table.column", d.file, name, c.RefersTo)
		case !known[table]:
			return fmt.Errorf("%s: column %s refers to %s, which is no model and no input: %s", d.file, name, table, similar(table, known))
		case m.Layer == Marts && !isMart && !strings.HasPrefix(table, "settings."):
			return fmt.Errorf("%s: column %s refers to %s: of a mart it can refer to marts and settings, the rest is gone when marts are looked at", d.file, name, table)
		case m.Layer != Marts && !slices.Contains(m.Reads, table):
			return fmt.Errorf("%s: column %s refers to %s: it can refer to what %s reads itself, the rest may be gone", d.file, name, table, m.Name())
		}
	}
	for _, r := range d.Freshness {
		if table, _, _ := cutColumn(r.Of); !known[table] {
			return fmt.Errorf("%s: freshness of %s: %s is no dataset: %s", d.file, r.Of, table, similar(table, known))
		}
	}
	for _, r := range d.Rows {
		if err := isExpression(ctx, db, r.Holds); err != nil {
			return fmt.Errorf("%s: rule %s: `%s` is no SQL expression over one row: %w", d.file, r.Name, r.Holds, err)
		}
	}
	return nil
}

// isExpression asks DuckDB's parser whether a text is one expression.
func isExpression(ctx context.Context, db *stdsql.DB, text string) error {
	var tree string
	// In brackets on a line of its own, so that neither a comma nor a comment leads out of them.
	if err := db.QueryRowContext(ctx, "select json_serialize_sql(?::varchar)::varchar", "select (\n"+text+"\n)").Scan(&tree); err != nil {
		return err
	}
	var parsed serialised
	if err := json.Unmarshal([]byte(tree), &parsed); err != nil {
		return err
	}
	if parsed.Error {
		return errors.New(parsed.Message)
	}
	if len(parsed.Statements) != 1 {
		return errors.New("it is more than one statement")
	}
	return nil
}

// rule is one thing that must hold of a table, as SQL.
type rule struct {
	name        string
	severity    Severity
	description string
	remedy      string
	// file is where it is declared.
	file string
	// broken is an expression that is true of a row that breaks it; joins are what it reads besides.
	broken, join string
	// isKey is the rule that no two rows share a key, which no row breaks by itself.
	isKey bool
}

// rules lists what must hold of the model's table. The key of a mart always must; another model's, where it has a .yaml file.
// A reference to a table that was not made is left out.
func (m *Model) rules(isMade func(table string) bool) []rule {
	var out []rule
	name := m.Name()
	if len(m.Key) > 0 && (m.Layer == Marts || m.declared != nil) {
		key := strings.Join(m.Key, ", ")
		out = append(out,
			rule{
				name: "key (" + key + ")", severity: Block, file: m.File, isKey: true,
				description: "No two rows have the same key.",
				remedy:      "The inputs of the model hold something twice, or its joins do: look the rows up in them.",
			},
			rule{
				name: "key (" + key + ") is there", severity: Block, file: m.File, broken: "tested." + strings.Join(m.Key, " is null or tested.") + " is null",
				description: "Every row has a key.", remedy: importAgain(name, m.Key[0]),
			})
	}
	if m.declared == nil {
		return out
	}
	for _, column := range m.declared.order {
		c := m.declared.Columns[column]
		r := rule{severity: cmp.Or(c.Severity, Block), file: m.declared.file, remedy: cmp.Or(c.Remedy, importAgain(name, column))}
		if c.NotNull {
			r := r
			r.name, r.description = column+" not_null", column+" is there in every row."
			r.broken = fmt.Sprintf("tested.%s is null", column)
			out = append(out, r)
		}
		if len(c.OneOf) > 0 {
			r := r
			r.name, r.description = column+" one_of", column+" is one of "+strings.Join(c.OneOf, ", ")+"."
			r.broken = fmt.Sprintf("tested.%s::varchar not in (%s)", column, strings.Trim(textList(c.OneOf), "[]"))
			out = append(out, r)
		}
		table, target, _ := cutColumn(c.RefersTo)
		if c.RefersTo != "" && isMade(table) {
			r := r
			r.name, r.description = column+" refers_to "+c.RefersTo, "Every "+column+" is in "+c.RefersTo+"."
			alias := "referred_" + strconv.Itoa(len(out))
			r.join = fmt.Sprintf(" left join (select distinct %s as %s_value from %s) as %s on %s_value = tested.%s", target, alias, table, alias, alias, column)
			r.broken = fmt.Sprintf("tested.%s is not null and %s_value is null", column, alias)
			out = append(out, r)
		}
	}
	for _, declared := range m.declared.Rows {
		out = append(out, rule{
			name: declared.Name, severity: cmp.Or(declared.Severity, Block), file: m.declared.file,
			description: strings.TrimSpace(cmp.Or(declared.Why, "`"+declared.Holds+"` in every row.")),
			remedy:      cmp.Or(declared.Remedy, importAgain(name, "")), broken: "(" + declared.Holds + "\n) is not true",
		})
	}
	return out
}

// importAgain is what to do where a rule has no remedy of its own.
func importAgain(model, column string) string {
	asked := "falloff lineage " + model
	if column != "" {
		asked = "falloff lineage --column " + model + "." + column
	}
	return "`" + asked + "` says which reports it is made from: import those again, or, where they are right, correct the model or what is declared of it."
}
