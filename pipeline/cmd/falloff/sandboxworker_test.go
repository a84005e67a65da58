package main

import (
	"os/exec"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/sandbox"
)

// The program as it is installed is what a pool starts.
func TestFalloffIsItsOwnWorker(t *testing.T) {
	falloff, err := exec.LookPath("falloff")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := sandbox.NewPool(sandbox.Options{Command: []string{falloff, "sandbox-worker"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	}()
	answer, err := pool.Query(t.Context(), sandbox.Request{Clinic: "harbour-street", SQL: "select 6 * 7 as answer"})
	if err != nil {
		t.Fatal(err)
	}
	if answer.Rows != 1 || len(answer.IPC) == 0 {
		t.Errorf("%d rows in %d bytes", answer.Rows, len(answer.IPC))
	}
}
