package identity

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
)

// What the plugin signs the server takes, for the clinic and the time that it says, and with the key that they share alone.
func TestBothHalvesOfThePluginsToken(t *testing.T) {
	g := open(t, nil)
	key, err := plugintoken.ParseKey(" " + g.plugin.Text() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := plugintoken.NewSigner(key, g.clock)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(plugintoken.Person{Login: canary, Role: "Viewer", Clinic: plugintoken.AllClinics, SecondFactor: true})
	if err != nil {
		t.Fatal(err)
	}
	who, err := g.bearerOf(token)
	if err != nil || who.Subject != canary || who.Clinic != "" || !slices.Equal(who.Roles, []string{"Viewer"}) || who.Session == "" {
		t.Errorf("%+v, %v", who, err)
	}
	issued := g.now
	for after, want := range map[time.Duration]Code{-11 * time.Second: NotYetValid, -9 * time.Second: "", 69 * time.Second: "", 71 * time.Second: Expired} {
		g.now = issued.Add(after)
		if _, err := g.bearerOf(token); CodeOf(err) != want {
			t.Errorf("after %s: %v", after, err)
		}
	}
	g.now = issued
	for what, p := range map[string]plugintoken.Person{"nobody": {Clinic: "a"}, "no clinic": {Login: "ada"}} {
		if _, err := signer.Sign(p); err == nil {
			t.Errorf("%s was signed", what)
		}
	}
	if _, err := plugintoken.NewSigner(plugintoken.Key{}, nil); err == nil {
		t.Error("a signer has no key")
	}
	for _, text := range []string{"", "fpk1_", g.plugin.Text()[:20], g.plugin.Text() + "A", "fpk1_" + strings.Repeat("!", 43)} {
		if _, err := plugintoken.ParseKey(text); err == nil || len(text) > 10 && strings.Contains(err.Error(), text[6:]) {
			t.Errorf("a key of %d letters: %v", len(text), err)
		}
	}
	if printed := fmt.Sprintf("%v %+v %#v", g.plugin, g.plugin, signer); strings.Contains(printed, g.plugin.Text()[6:]) {
		t.Error("a printed key shows itself")
	}
	// Two keys count while one replaces the other.
	next, err := plugintoken.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	both := open(t, func(o *Options) { o.PluginKeys = []plugintoken.Key{key, next} })
	for _, k := range []plugintoken.Key{key, next} {
		signer, err := plugintoken.NewSigner(k, both.clock)
		if err != nil {
			t.Fatal(err)
		}
		token, err := signer.Sign(plugintoken.Person{Login: "ada", Clinic: "a", SecondFactor: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := both.bearerOf(token); err != nil {
			t.Errorf("one of two keys: %v", err)
		}
	}
}

// A token of the plugin is good for one request, and for the one that it was signed for.
func TestATokenOfThePluginIsGoodForOneRequest(t *testing.T) {
	g := open(t, nil)
	g.remembers = true
	signer, err := plugintoken.NewSigner(g.plugin, g.clock)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(request string) string {
		token, err := signer.Sign(plugintoken.Person{Login: canary, Clinic: plugintoken.AllClinics, SecondFactor: true, Request: request})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	begin := g.now
	// However long after, as long as it lives; others come in between.
	for _, after := range []time.Duration{0, time.Second, 59 * time.Second, 69 * time.Second} {
		g.now = begin
		token := sign("")
		if _, err := g.bearerOf(token); err != nil {
			t.Errorf("the first time: %v", err)
		}
		for step := range 8 {
			g.now = begin.Add(after * time.Duration(step) / 7)
			if _, err := g.bearerOf(sign("")); err != nil {
				t.Errorf("another token: %v", err)
			}
			if _, err := g.bearerOf(token); CodeOf(err) != Replayed {
				t.Errorf("again after %s: %v", g.now.Sub(begin), err)
			}
		}
		begin = begin.Add(25 * time.Second) // the memory turns over in the middle of a life, too
	}
	g.now = begin
	for request, want := range map[string]Code{
		plugintoken.RequestOf(http.MethodGet, "/v1/query?clinic=a"): "", plugintoken.RequestOf(http.MethodPost, "/v1/query"): WrongRequest,
		plugintoken.RequestOf(http.MethodGet, "/v1/sql"): WrongRequest,
	} {
		if _, err := g.bearerOf(sign(request)); CodeOf(err) != want {
			t.Errorf("for %s: %v", request, err)
		}
	}
	// A token that is refused is not used up by it, nor does it use up another's name.
	token := sign("")
	if _, err := g.bearerOf(token[:len(token)-4] + "AAAA"); CodeOf(err) != BadSignature {
		t.Errorf("spoilt: %v", err)
	}
	if _, err := g.bearerOf(token); err != nil {
		t.Errorf("after a spoilt copy: %v", err)
	}
}
