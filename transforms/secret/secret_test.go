package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"text/template"

	"github.com/goccy/go-yaml"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

const password = "Kq7#Zr9!Vw2$Xy5"

type account struct {
	Name     string
	Password secret.Bytes
	Codes    *secret.Bytes
}

type enclosing struct {
	Account account
	hidden  secret.Bytes
	within  []account
	byName  map[string]secret.Bytes
	any     any
}

// No way of printing, encoding or logging a secret, or anything that it is a part of, shows any of it.
func TestSecretsCannotBePrinted(t *testing.T) {
	s := secret.FromText(password)
	a := account{"clerk", s, &s}
	values := []any{s, &s, a, &a, []secret.Bytes{s}, map[string]secret.Bytes{"k": s}, struct{ S any }{s},
		enclosing{a, s, []account{a}, map[string]secret.Bytes{"k": s}, s}, &enclosing{a, s, []account{a}, nil, &s}}
	var out bytes.Buffer
	loggers := []*slog.Logger{slog.New(slog.NewJSONHandler(&out, nil)), slog.New(slog.NewTextHandler(&out, nil))}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "% X", "%d", "%o", "%b", "%c", "%U", "%t", "%e", "%T", "%p"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		if body, err := json.Marshal(v); err != nil {
			t.Errorf("JSON of %T: %v", v, err)
		} else {
			out.Write(body)
		}
		if body, err := yaml.Marshal(v); err != nil {
			t.Errorf("YAML of %T: %v", v, err)
		} else {
			out.Write(body)
		}
		if body, err := xml.Marshal(v); err == nil { // maps have no XML
			out.Write(body)
		}
		_ = gob.NewEncoder(&out).Encode(v) // what has no exported field has no gob
		for _, l := range loggers {
			l.Info("secret", "v", v)
			l.With("v", v).Info("secret")
		}
		if err := template.Must(template.New("").Parse("{{.}} {{printf `%#v` .}}\n")).Execute(&out, v); err != nil {
			t.Error(err)
		}
		fmt.Fprintln(&out, fmt.Errorf("signing in: %w", fmt.Errorf("%v", v)))
		fmt.Fprintf(&out, "%#v", reflect.ValueOf(v))
	}
	for i := 0; i+4 <= len(password); i++ {
		four := password[i : i+4]
		for _, form := range []string{four, strings.ToLower(four), hex.EncodeToString([]byte(four)), strings.Trim(fmt.Sprintf("%d", []byte(four)), "[]"),
			strings.Trim(fmt.Sprintf("%#v", []byte(four)), "[]byte{}")} {
			if strings.Contains(out.String(), form) {
				t.Fatalf("%q was printed", form)
			}
		}
	}
	if n := strings.Count(out.String(), secret.Redacted); n < 100 {
		t.Errorf("only %d values were replaced: the test prints too little", n)
	}
	for _, got := range []string{fmt.Sprintf("%v", s), fmt.Sprintf("%#v", s), fmt.Sprintf("%x", s), s.String()} {
		if got != secret.Redacted {
			t.Errorf("it prints as %q", got)
		}
	}
	if got := fmt.Sprintf("%#v", a); !strings.Contains(got, "Password:[redacted]") {
		t.Errorf("a struct around it prints as %s", got)
	}
	if body, err := json.Marshal(a); err != nil || string(body) != `{"Name":"clerk","Password":"[redacted]","Codes":"[redacted]"}` {
		t.Errorf("JSON %s, %v", body, err)
	}
}

func TestContent(t *testing.T) {
	given := []byte(password)
	s := secret.New(given)
	given[0] = 'x'
	s.Expose()[1] = 'x'
	if s.Text() != password {
		t.Error("the content was changed from outside")
	}
	if !s.Equal(secret.FromText(password)) || s.Equal(secret.FromText("other")) || s.Equal(secret.Bytes{}) || !(secret.Bytes{}).Equal(secret.Bytes{}) {
		t.Error("secrets are not compared by their content")
	}
	if !(secret.Bytes{}).IsZero() || !secret.New(nil).IsZero() || s.IsZero() || (secret.Bytes{}).Expose() != nil {
		t.Error("empty is not told from filled")
	}
}

// A wiped secret is gone from all its copies, and from the memory that it was in.
func TestWipe(t *testing.T) {
	content := []byte(password)
	s := secret.Own(content)
	other := s
	s.Borrow(func(b []byte) {
		if string(b) != password {
			t.Error("borrowed something else")
		}
	})
	s.Wipe()
	if !other.IsZero() || other.Text() != "" || !bytes.Equal(content, make([]byte, len(password))) {
		t.Errorf("after wiping there is still %q", content)
	}
	s.Wipe()
	secret.Bytes{}.Wipe()
}
