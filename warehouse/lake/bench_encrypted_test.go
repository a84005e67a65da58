//go:build duckdb_arrow

package lake_test

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// BenchmarkWriteEncrypted is rows a second from typed rows to one encrypted file in memory, its name among it, beside what
// arrow-go does with the same rows, builders included, without encryption and without a name.
func BenchmarkWriteEncrypted(b *testing.B) {
	rows := schedule(written, 1)
	clinic := dirClinicEncrypted(b)
	b.Run("lake", func(b *testing.B) {
		size := 0
		for range b.N {
			body, err := lake.EncryptAppointments(clinic, rows)
			if err != nil {
				b.Fatal(err)
			}
			size = len(body)
		}
		perSecond(b, size)
	})
	b.Run("arrow-go-unencrypted", func(b *testing.B) {
		size := 0
		for range b.N {
			var err error
			if size, err = arrowUnencrypted(rows); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b, size)
	})
}

func dirClinicEncrypted(b testing.TB) *lake.Clinic {
	b.Helper()
	store, err := lake.OpenDir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	return openEncrypted(b, store)
}

// Five million rows, a month at a time, are written in less than half a gigabyte, those rows of a month among it that the
// caller holds.
func TestMemoryOfWritingEncryptedRows(t *testing.T) {
	months, each := 4, 42_000
	if os.Getenv("FALLOFF_LONG") != "" {
		months = 120
	}
	clinic := dirClinicEncrypted(t)
	runtime.GC()
	var peak atomic.Uint64
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse+m.StackInuse))
			select {
			case <-done:
				return
			case <-ticker.C:
			}
		}
	}()
	rows := schedule(each, 1)
	for range months {
		if _, err := lake.EncryptAppointments(clinic, rows); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	<-watched
	debug.FreeOSMemory()
	if limit := uint64(512 << 20); peak.Load() > limit {
		t.Errorf("%d rows took %d MiB", months*each, peak.Load()>>20)
	}
	t.Logf("%d rows, at most %d MiB", months*each, peak.Load()>>20)
}
