package models

import (
	"testing"
)

// Tables are compressed once they take much memory, and say the same afterwards.
func TestTablesThatTakeMuchMemoryAreCompressed(t *testing.T) {
	ctx := t.Context()
	s, err := open(ctx, Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.wide = 1
	if err := s.exec(ctx, "create table visits as select 'p1_' || md5((i // 16)::varchar) as patient, i % 7 as day from range(500000) as r (i)"); err != nil {
		t.Fatal(err)
	}
	look := func() (held, sum int64) {
		t.Helper()
		err := s.conn.QueryRowContext(ctx, "select sum(memory_usage_bytes)::bigint from duckdb_memory() where tag = 'IN_MEMORY_TABLE'").Scan(&held)
		if err == nil {
			err = s.conn.QueryRowContext(ctx, "select (sum(day) + sum(hash(patient) % 1000))::bigint from visits").Scan(&sum)
		}
		if err != nil {
			t.Fatal(err)
		}
		return held, sum
	}
	plain, before := look()
	if err := s.compress(ctx); err != nil {
		t.Fatal(err)
	}
	if held, _ := look(); held != plain {
		t.Errorf("%d bytes are worth compressing, which took %d", plain, held)
	}
	s.heldPlain = 1 << 20
	if err := s.compress(ctx); err != nil {
		t.Fatal(err)
	}
	if held, after := look(); held > plain/4 || after != before {
		t.Errorf("compressed from %d to %d bytes; the sum was %d, and is %d", plain, held, before, after)
	}
}
