package models

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func BenchmarkScratchTwoDays(b *testing.B) {
	in := syntheticClinic(b, 1_000_000)
	for day := range 2 {
		in.AsOf = in.AsOf.AddDays(day)
		dir := fmt.Sprintf("/tmp/m1m/%d", day)
		_ = os.MkdirAll(dir, 0o755)
		t := time.Now()
		result, err := Build(b.Context(), in)
		if err != nil {
			b.Fatal(err)
		}
		fmt.Fprintln(os.Stderr, "took", time.Since(t))
		for _, m := range result.Marts {
			fmt.Fprintln(os.Stderr, m.Name, m.Rows, len(m.Parquet))
			_ = os.WriteFile(dir+"/"+m.Name+".parquet", m.Parquet, 0o644)
		}
	}
}
