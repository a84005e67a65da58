//go:build duckdb_arrow

package lake_test

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/transforms/contract"
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

// peakOf is the most memory that the process held while something was done.
func peakOf(do func()) uint64 {
	debug.FreeOSMemory()
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
	do()
	close(done)
	<-watched
	debug.FreeOSMemory()
	return peak.Load()
}

// largestPeak is what neither writing nor changing five million rows may take.
const largestPeak = 512 << 20

// Five million rows, a month at a time, are written in less than half a gigabyte, those rows of a month among it that the
// caller holds.
func TestMemoryOfWritingEncryptedRows(t *testing.T) {
	months, each := monthsOfMemory(), 42_000
	clinic, rows := dirClinicEncrypted(t), schedule(each, 1)
	peak := peakOf(func() {
		for range months {
			if _, err := lake.EncryptAppointments(clinic, rows); err != nil {
				t.Fatal(err)
			}
		}
	})
	if peak > largestPeak {
		t.Errorf("%d rows took %d MiB", months*each, peak>>20)
	}
	t.Logf("%d rows, at most %d MiB", months*each, peak>>20)
}

// monthsOfMemory is over how many months memory is measured: what is held at once must not depend on it.
func monthsOfMemory() int {
	if os.Getenv("FALLOFF_LONG") != "" {
		return 120
	}
	return 4
}

// landedAndChanged lands so many visits of each month, and gives a hundred of each as they are later; the others are let go.
func landedAndChanged(t *testing.T, clinic *lake.Clinic, months, each int) (changed []contract.Appointment) {
	t.Helper()
	visits := schedule(months*each, months)
	mustUpsert(t, clinic, lake.Batch[contract.Appointment]{Rows: visits})
	for i := 0; i < len(visits); i += each / 100 {
		v := visits[i]
		v.State, v.ObservedOn = "archived", v.ObservedOn+1
		changed = append(changed, v)
	}
	return changed
}

// An upsert that changes rows of every month of an encrypted lake, and so reads and writes all of it anew, takes less than half a
// gigabyte, what the caller brings among it.
func TestMemoryOfUpsertsIntoEncryptedRows(t *testing.T) {
	months, each := monthsOfMemory(), 42_000
	clinic := dirClinicEncrypted(t)
	changed := landedAndChanged(t, clinic, months, each)
	var merged lake.Merged
	peak := peakOf(func() { merged = mustUpsert(t, clinic, lake.Batch[contract.Appointment]{Rows: changed}) })
	if merged.Changed != len(changed) || len(merged.Months) != months {
		t.Errorf("%d of %d rows changed, in %d months of %d", merged.Changed, len(changed), len(merged.Months), months)
	}
	if peak > largestPeak {
		t.Errorf("%d rows changed of %d took %d MiB", len(changed), months*each, peak>>20)
	}
	t.Logf("%d rows changed of %d, at most %d MiB", len(changed), months*each, peak>>20)
}
