package browser

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/url"
	"slices"
)

// fields are a body's values by name, nested names joined by dots.
type fields map[string][]string

// bodyFields takes a JSON object or a form apart. It fails on anything else, on a name that occurs twice in an object
// (two readers could take two different values), and on anything after the object.
func bodyFields(contentType string, body []byte) (fields, bool) {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, false
	}
	found := fields{}
	switch mediaType {
	case "application/json":
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if start, err := d.Token(); err != nil || start != json.Delim('{') || found.members(d, "", 0) != nil {
			return nil, false
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return nil, false
		}
	case "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, false
		}
		maps.Copy(found, values)
	default:
		return nil, false
	}
	return found, true
}

var errForm = errors.New("not an object of plain values")

// maxNesting is far above what a filter or a sign-in needs.
const maxNesting = 8

// members reads the rest of an object whose opening brace has been read.
func (f fields) members(d *json.Decoder, prefix string, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok || seen[name] {
			return errForm
		}
		seen[name] = true
		if err := f.value(d, prefix+name, depth+1); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func (f fields) value(d *json.Decoder, name string, depth int) error {
	if depth > maxNesting {
		return errForm
	}
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return f.members(d, name+".", depth)
	case json.Delim('['):
		f[name] = append(f[name], []string{}...)
		for d.More() {
			if err := f.value(d, name, depth+1); err != nil {
				return err
			}
		}
		_, err := d.Token()
		return err
	case nil:
		f[name] = append(f[name], "")
	default:
		f[name] = append(f[name], fmt.Sprint(token))
	}
	return nil
}

// within reports whether every field is listed, with a listed value where values are listed.
func (f fields) within(allowed map[string][]string) bool {
	for name, values := range f {
		list, ok := allowed[name]
		if !ok {
			return false
		}
		for _, value := range values {
			if len(list) > 0 && !slices.Contains(list, value) {
				return false
			}
		}
	}
	return true
}
