package access

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/falloff-analytics/falloff/transforms/spelling"
)

// FileError says what is wrong with an access policy.
type FileError struct {
	File string
	// Line is 1 for the first line, 0 where the file as a whole is meant.
	Line int
	// Problem is what is wrong, Hint what to do.
	Problem, Hint string
}

// Error gives file, line, problem and hint in one line.
func (e *FileError) Error() string {
	text := e.File
	if e.Line > 0 {
		text += fmt.Sprintf(", line %d", e.Line)
	}
	text += ": " + e.Problem
	if e.Hint != "" {
		text += ". " + e.Hint
	}
	return text
}

const (
	largestFile   = 1 << 20
	deepestNest   = 12
	longestName   = 200
	policySample  = "docs/permissions.md has a sample"
	policyVersion = 1
)

// filed is an access policy as its file has it.
type filed struct {
	Version             int         `yaml:"version"`
	RequireSecondFactor *bool       `yaml:"require_second_factor"`
	MockUsers           bool        `yaml:"mock_users"`
	Clinics             []string    `yaml:"clinics"`
	Roles               []filedRole `yaml:"roles"`
	People              []filedRule `yaml:"people"`
	Teams               []filedRule `yaml:"teams"`
	GrafanaRoles        []filedRule `yaml:"grafana_roles"`
	Claims              []filedRule `yaml:"claims"`
	Support             any         `yaml:"support"`
}

type filedRole struct {
	Name             string   `yaml:"name"`
	Says             string   `yaml:"says"`
	Of               []string `yaml:"of"`
	With             []string `yaml:"with"`
	Without          []string `yaml:"without"`
	ViewAssignedOnly *bool    `yaml:"view_assigned_only"`
}

// filedRule is an entry of people, teams, grafana_roles or claims; which keys each may have is checked.
type filedRule struct {
	Login   string       `yaml:"login"`
	Issuer  string       `yaml:"issuer"`
	Subject string       `yaml:"subject"`
	Team    string       `yaml:"team"`
	Role    string       `yaml:"grafana_role"`
	Claim   string       `yaml:"claim"`
	Value   string       `yaml:"value"`
	Grants  []filedGrant `yaml:"roles"`
	Staff   []filedStaff `yaml:"staff"`
}

type filedGrant struct {
	Role    string `yaml:"role"`
	Clinics names  `yaml:"clinics"`
}

type filedStaff struct {
	Clinic string   `yaml:"clinic"`
	Names  []string `yaml:"names"`
}

// names are written as a list, or as one plain value.
type names []string

func (n *names) UnmarshalYAML(decode func(any) error) error {
	var one string
	if decode(&one) == nil {
		*n = names{one}
		return nil
	}
	return decode((*[]string)(n))
}

// reading is a policy file being read.
type reading struct {
	file string
	root ast.Node
}

// Parse reads an access policy. file is its name in errors, which are of type *FileError.
func Parse(body []byte, file string) (*Policy, error) {
	r := reading{file: file}
	if err := r.parse(body); err != nil {
		return nil, err
	}
	var in filed
	if err := yaml.NodeToValue(r.root, &in, yaml.Strict()); err != nil {
		return nil, r.decoding(err)
	}
	if in.Version != policyVersion {
		return nil, r.wrong("$.version", fmt.Sprintf("Write version: %d as the first line", policyVersion), "the version is %d", in.Version)
	}
	p := &Policy{requireSecondFactor: in.RequireSecondFactor == nil || *in.RequireSecondFactor, mockUsers: in.MockUsers, roles: map[string]Role{}}
	for _, t := range Templates() {
		p.roles[t.Name] = t
	}
	for i, clinic := range in.Clinics {
		at := fmt.Sprintf("$.clinics[%d]", i)
		if !clinicID.MatchString(clinic) {
			return nil, r.wrong(at, "An id is lower-case letters, digits and hyphens, such as harbour-street", "%q is no clinic's id", clip(clinic))
		}
		if slices.Contains(p.clinics, clinic) {
			return nil, r.wrong(at, "Delete one of the two", "the clinic %s is there twice", clinic)
		}
		p.clinics = append(p.clinics, clinic)
	}
	for i, own := range in.Roles {
		role, err := r.role(fmt.Sprintf("$.roles[%d]", i), own)
		if err != nil {
			return nil, err
		}
		if _, twice := p.roles[role.Name]; twice {
			return nil, r.wrong(fmt.Sprintf("$.roles[%d].name", i), "Choose another name", "there is a role %s already", role.Name)
		}
		p.roles[role.Name] = role
	}
	if err := r.rules(p, in); err != nil {
		return nil, err
	}
	if in.Support != nil {
		return nil, r.wrong("$.support", "Take it out, and grant it with falloff support open, which keeps session and end on record", "support access is not granted in this file")
	}
	return p, nil
}

// parse finds the root of the one document in body.
func (r *reading) parse(body []byte) (err error) {
	switch {
	case len(body) > largestFile:
		return r.wrong("", "This is no access policy", "the file is larger than %d KB", largestFile>>10)
	case bytes.IndexByte(body, 0) >= 0:
		return r.wrong("", "Save it as UTF-8", "the file is not text")
	case nesting(body) > deepestNest: // the parser recurses, and a stack overflow cannot be caught
		return r.wrong("", "This is no access policy", "its brackets or indents are nested too deep")
	}
	defer func() {
		if recover() != nil { // the parser is young; a file that it trips over is a bad file
			err = r.wrong("", policySample, "it is not YAML that can be read")
		}
	}()
	tree, err := parser.ParseBytes(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), 0)
	if err != nil {
		return r.decoding(err)
	}
	var roots []ast.Node
	for _, doc := range tree.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType {
			roots = append(roots, doc.Body)
		}
	}
	if len(roots) != 1 {
		return r.wrong("", "Write one; "+policySample, "it holds %d documents", len(roots))
	}
	r.root = roots[0]
	for _, n := range ast.Filter(ast.AnchorType, r.root) {
		return r.wrongAt(n, "Write it out", "anchors are not read")
	}
	for _, n := range ast.Filter(ast.AliasType, r.root) {
		return r.wrongAt(n, "Write it out", "aliases are not read")
	}
	return nil
}

// nesting bounds from above how deep the parser would have to go.
func nesting(body []byte) int {
	open, deepest := 0, 0
	for line := range bytes.Lines(body) {
		indent := len(line) - len(bytes.TrimLeft(line, " -?\t"))
		deepest = max(deepest, indent/2)
		for _, c := range line {
			switch c {
			case '[', '{':
				open++
				deepest = max(deepest, open)
			case ']', '}':
				open = max(0, open-1)
			}
		}
	}
	return deepest
}

// decoding says what the YAML library found, without the source around it.
func (r *reading) decoding(err error) error {
	out := &FileError{File: r.file, Problem: "it is not YAML", Hint: "Check the indents, quotes and brackets there"}
	found, ok := errors.AsType[yaml.Error](err)
	if !ok {
		return out
	}
	if t := found.GetToken(); t != nil && t.Position != nil {
		out.Line = t.Position.Line
	}
	message := strings.ReplaceAll(found.GetMessage(), "\n", " ")
	if unknown := unknownField.FindStringSubmatch(message); unknown != nil {
		out.Problem, out.Hint = fmt.Sprintf("there is no key `%s` there", clip(unknown[1])), policySample
		if near := spelling.Nearest(unknown[1], keys); near != "" {
			out.Hint = fmt.Sprintf("Did you mean `%s`?", near)
		}
		return out
	}
	out.Problem += " as it should be: " + message
	out.Hint = policySample
	return out
}

var (
	unknownField = regexp.MustCompile(`^unknown field "([^"]*)"`)
	clinicID     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	roleName     = regexp.MustCompile(`^[a-z][a-z0-9_]{1,39}$`)
	keys         = []string{
		"version", "require_second_factor", "mock_users", "clinics", "roles", "people", "teams", "grafana_roles", "claims", "support", "name", "says", "of", "with",
		"without", "view_assigned_only", "login", "issuer", "subject", "team", "grafana_role", "claim", "value", "role", "staff", "clinic", "names",
		"from", "until", "reason",
	}
)

// wrong is an error at a place of the file, or at the nearest one above it that is there.
func (r *reading) wrong(path, hint, problem string, args ...any) error {
	for path != "" && r.root != nil {
		if p, err := yaml.PathString(path); err == nil {
			if n, err := p.FilterNode(r.root); err == nil && n != nil {
				return r.wrongAt(n, hint, problem, args...)
			}
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return &FileError{File: r.file, Problem: fmt.Sprintf(problem, args...), Hint: hint}
}

func (r *reading) wrongAt(n ast.Node, hint, problem string, args ...any) error {
	e := &FileError{File: r.file, Problem: fmt.Sprintf(problem, args...), Hint: hint}
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		e.Line = t.Position.Line
	}
	return e
}

// clip keeps a name that was mistyped short.
func clip(name string) string {
	if len(name) > 40 {
		return name[:40] + "…"
	}
	return name
}

// nearest is a hint that names the known one that was probably meant, or where all are listed.
func nearest(name string, known []string, list string) string {
	if near := spelling.Nearest(name, known); near != "" {
		return fmt.Sprintf("Did you mean %s?", near)
	}
	return list
}
