package terraform_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// configuration is what the files of this folder say, by their paths.
type configuration map[string]*file

type file struct {
	path string
	text []byte
	body *hclsyntax.Body
}

// texts reads the .tf files.
func texts(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".tf" {
			return err
		}
		text, err := os.ReadFile(path)
		out[filepath.ToSlash(path)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("only %d Terraform files were found", len(out))
	}
	return out
}

func parse(t *testing.T, texts map[string]string) configuration {
	t.Helper()
	out := configuration{}
	for path, text := range texts {
		parsed, problems := hclsyntax.ParseConfig([]byte(text), path, hcl.InitialPos)
		if problems.HasErrors() {
			t.Fatal(problems)
		}
		out[path] = &file{path, []byte(text), parsed.Body.(*hclsyntax.Body)}
	}
	return out
}

// module is the folder that a file belongs to.
func (f *file) module() string { return filepath.ToSlash(filepath.Dir(f.path)) }

// source is an expression as it is written; "" for an attribute that is not there.
func (f *file) source(body *hclsyntax.Body, name string) string {
	attribute, ok := body.Attributes[name]
	if !ok {
		return ""
	}
	return string(attribute.Expr.Range().SliceBytes(f.text))
}

// block is one top-level block.
type block struct {
	*hclsyntax.Block
	file *file
}

// is says whether it is of this type and these labels; fewer labels match any.
func (b block) is(kind string, labels ...string) bool {
	return b.Type == kind && len(b.Labels) >= len(labels) && slices.Equal(b.Labels[:len(labels)], labels)
}

func (b block) name() string { return b.file.path + ": " + b.Type + " " + strings.Join(b.Labels, ".") }

// blocks are all blocks of a module, or of all for "".
func (c configuration) blocks(module, kind string, labels ...string) []block {
	var out []block
	for _, path := range slices.Sorted(maps.Keys(c)) {
		f := c[path]
		if module != "" && f.module() != module {
			continue
		}
		for _, b := range f.body.Blocks {
			if found := (block{b, f}); found.is(kind, labels...) {
				out = append(out, found)
			}
		}
	}
	return out
}

// inner are the blocks of a type in a body, those that `dynamic` makes among them.
func inner(body *hclsyntax.Body, kind string) []*hclsyntax.Body {
	var out []*hclsyntax.Body
	for _, b := range body.Blocks {
		switch {
		case b.Type == kind:
			out = append(out, b.Body)
		case b.Type == "dynamic" && b.Labels[0] == kind:
			out = append(out, inner(b.Body, "content")...)
		}
	}
	return out
}

// literal gives a list of plain strings, or one; ok is false where something else has a part in it.
func literal(body *hclsyntax.Body, name string) (values []string, ok bool) {
	attribute, there := body.Attributes[name]
	if !there {
		return nil, false
	}
	value, problems := attribute.Expr.Value(nil)
	if problems.HasErrors() {
		return nil, false
	}
	if value.Type() == cty.String {
		return []string{value.AsString()}, true
	}
	if !value.CanIterateElements() {
		return nil, false
	}
	for _, element := range value.AsValueSlice() {
		if element.Type() != cty.String {
			return nil, false
		}
		values = append(values, element.AsString())
	}
	return values, true
}

// statement is one of a policy document.
type statement struct {
	block
	body *hclsyntax.Body
}

func (s statement) String() string { return s.block.name() + ", " + s.sid() }
func (s statement) sid() string {
	id, _ := literal(s.body, "sid")
	return strings.Join(id, "")
}

func (s statement) denies() bool {
	effect, _ := literal(s.body, "effect")
	return slices.Equal(effect, []string{"Deny"})
}

func (s statement) actions() []string {
	actions, _ := literal(s.body, "actions")
	return actions
}

// condition says whether the statement has this one.
func (s statement) condition(test, variable, values string) bool {
	for _, c := range inner(s.body, "condition") {
		if s.file.source(c, "test") == `"`+test+`"` && s.file.source(c, "variable") == `"`+variable+`"` && s.file.source(c, "values") == values {
			return true
		}
	}
	return false
}

// statements are those of all policy documents of a module, or of the named ones.
func (c configuration) statements(module string, documents ...string) []statement {
	var out []statement
	for _, b := range c.blocks(module, "data", "aws_iam_policy_document") {
		if len(documents) > 0 && !slices.Contains(documents, b.Labels[1]) {
			continue
		}
		for _, body := range inner(b.Body, "statement") {
			out = append(out, statement{b, body})
		}
	}
	return out
}
