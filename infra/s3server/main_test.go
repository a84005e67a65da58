package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
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

// Without a program the server is there for others until it is told to end; only on loopback, for everybody knows its password.
func TestServe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, filepath.Join(t.TempDir(), "s3"), "demo", address) }()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "http://" + address, "AWS_REGION": storetest.Region, "AWS_ACCESS_KEY_ID": storetest.AccessKey, "AWS_SECRET_ACCESS_KEY": storetest.SecretKey,
	} {
		t.Setenv(name, value)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		store, err := lake.OpenStore(t.Context(), "s3://demo/lake")
		if err == nil {
			err = store.Create(t.Context(), "kept", []byte("what was kept"))
		}
		if err == nil || errors.Is(err, lake.ErrExists) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := serve(t.Context(), t.TempDir(), "demo", "0.0.0.0:7070"); err == nil {
		t.Error("it listens where others can reach it")
	}
}
