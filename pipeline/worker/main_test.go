package worker_test

import (
	"os"
	"testing"
)

// TestMain lets this program be one of the workers that TestManyMachines starts.
func TestMain(m *testing.M) {
	if dir := os.Getenv("FALLOFF_TEST_WORKER"); dir != "" {
		os.Exit(beWorker(dir))
	}
	os.Exit(m.Run())
}
