package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// TestMain runs the tests, or is the program that uses the server.
func TestMain(m *testing.M) {
	if want := os.Getenv("FALLOFF_TEST_S3_CLIENT"); want != "" {
		os.Exit(client(want))
	}
	os.Exit(m.Run())
}

func client(want string) int {
	ctx := context.Background()
	store, err := lake.OpenStore(ctx, "s3://demo/lake")
	if err != nil {
		return 10
	}
	body, err := store.Get(ctx, "kept")
	switch {
	case want == "first" && err != nil:
		if store.Create(ctx, "kept", []byte("what was kept")) != nil {
			return 11
		}
		return 7
	case want == "again" && string(body) == "what was kept":
		return 0
	}
	return 12
}

// What a program puts into the server is there the next time; the program's exit code is passed on, and its folder is the one that
// it was started from.
func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s3")
	for _, c := range []struct {
		does string
		code int
	}{{"first", 7}, {"again", 0}} {
		t.Setenv("FALLOFF_TEST_S3_CLIENT", c.does)
		if code, err := run(t.Context(), dir, "demo", []string{os.Args[0]}); err != nil || code != c.code {
			t.Errorf("%s: code %d, %v", c.does, code, err)
		}
	}
	if _, err := run(t.Context(), dir, "demo", []string{"no-such-program"}); err == nil {
		t.Error("a program that is not there ran")
	}
}
