package browser

import (
	"errors"
	"testing"
)

func testReferee(t *testing.T, rules []Rule, tolerated ...Tolerated) (*referee, *[]error) {
	t.Helper()
	p, err := newPolicy(Config{Origin: mustOrigin(t, "https://clinic.example.com"), Rules: rules, Tolerated: tolerated})
	if err != nil {
		t.Fatal(err)
	}
	var alarms []error
	return newReferee(t.Context(), p, newLedger(), func(err error) { alarms = append(alarms, err) }), &alarms
}

// TestStagesEndWhileARequestIsOnItsWay lets a stage end between the walls.
func TestStagesEndWhileARequestIsOnItsWay(t *testing.T) {
	r, _ := testReferee(t, []Rule{{Purpose: "filter", Method: "PUT", Path: "/api/filters", Stage: "filter"}})
	put := request{method: "PUT", url: "https://clinic.example.com/api/filters"}
	if rule, _, reason := r.judge(InBrowser, put); rule != nil || reason != notNow {
		t.Errorf("before its stage: %v, %q", rule, reason)
	}
	r.enter("filter")
	if rule, _, _ := r.judge(InBrowser, put); rule == nil {
		t.Error("the wall in the browser refuses it in its stage")
	}
	r.enter("export")
	if rule, _, reason := r.judge(InProxy, put); rule == nil {
		t.Errorf("the proxy refuses what the browser let out: %q", reason)
	}
	if rule, _, reason := r.judge(InProxy, put); rule != nil || reason != notNow {
		t.Errorf("once more, which the browser did not let out: %v, %q", rule, reason)
	}
}

// TestLimitsCountAtEachWall has a request pass both walls as often as it may.
func TestLimitsCountAtEachWall(t *testing.T) {
	r, _ := testReferee(t, []Rule{{Purpose: "sign in", Method: "POST", Path: "/api/session", Limit: 1}})
	post := request{method: "POST", url: "https://clinic.example.com/api/session"}
	for _, wall := range []Wall{InBrowser, InProxy} {
		if rule, _, reason := r.judge(wall, post); rule == nil {
			t.Errorf("the first time the %s says %q", wall, reason)
		}
		if _, _, reason := r.judge(wall, post); reason != tooOften {
			t.Errorf("the second time the %s says %q", wall, reason)
		}
	}
}

func TestAlarms(t *testing.T) {
	for _, test := range []struct {
		method, url string
		alarm       bool
	}{
		{"POST", "https://clinic.example.com/api/payments", true},
		{"DELETE", "https://clinic.example.com:8443/api/payments", true},
		{"PUT", "http://clinic.example.com/api/payments", true},
		{"BREW", "https://clinic.example.com/api/payments", true},
		{"POST", "https://clinic.example.com/api/telemetry/7", true},
		{"DELETE", "https://clinic.example.com/api/telemetry", true},
		{"POST", "https://clinic.example.com/api/telemetry", false},
		{"GET", "https://clinic.example.com/api/payments", false},
		{"HEAD", "https://clinic.example.com/api/payments", false},
		{"OPTIONS", "https://clinic.example.com/api/payments", false},
		{"CONNECT", "https://clinic.example.com:443", false},
		{"POST", "https://clinic.example.com.evil.example/api/payments", false},
		{"POST", "https://evil.example/api/payments", false},
	} {
		r, alarms := testReferee(t, nil, Tolerated{Why: "beacon", Method: "POST", Path: "/api/telemetry"})
		r.refused(InProxy, test.method, test.url, "", noRule)
		if got := len(*alarms) == 1 && errors.Is((*alarms)[0], ErrRefusedWrite); got != test.alarm || r.ledger.Refused() != 1 {
			t.Errorf("%s %s: alarms %v", test.method, test.url, *alarms)
		}
	}
}
