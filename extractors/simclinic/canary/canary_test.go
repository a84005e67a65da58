package canary

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf16"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

const planted = "Zéphyrine O'Qarvath"

func search(t *testing.T, name string, body []byte) []Hit {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New([]string{planted, "+1-555-0100-7391"})
	if err != nil {
		t.Fatal(err)
	}
	hits, err := s.Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

func TestFindsACanaryInEveryForm(t *testing.T) {
	asJSON, _ := json.Marshal(map[string]string{"name": planted})
	wide := []byte{}
	for _, u := range utf16.Encode([]rune(planted)) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	var zipped, gzipped, columns bytes.Buffer
	z := zip.NewWriter(&zipped)
	member, _ := z.Create("sheet1.xml")
	_, _ = member.Write(bytes.Repeat([]byte("padding "+planted), 50))
	_ = z.Close()
	g := gzip.NewWriter(&gzipped)
	_, _ = g.Write(bytes.Repeat([]byte("padding "+planted), 50))
	_ = g.Close()
	type row struct {
		Note string `parquet:"note,zstd"`
	}
	w := parquet.NewGenericWriter[row](&columns, parquet.Compression(&zstd.Codec{}))
	for range 200 {
		_, _ = w.Write([]row{{Note: "a long enough text to compress " + planted}})
	}
	_ = w.Close()

	for name, body := range map[string][]byte{
		"plain.txt":               []byte("x " + planted + " y"),
		"upper.txt":               []byte("x ZÉPHYRINE O'QARVATH y"),
		"row.json":                asJSON,
		"escaped.json":            []byte(`{"n":"Z\u00e9phyrine O'Qarvath"}`),
		"wide.bin":                wide,
		"book.xlsx":               zipped.Bytes(),
		"log.gz":                  gzipped.Bytes(),
		"part.parquet":            columns.Bytes(),
		"phone.log":               []byte("call +1-555-0100-7391 now"),
		"Zéphyrine O'Qarvath.txt": []byte("nothing inside"),
	} {
		if len(search(t, name, body)) == 0 {
			t.Errorf("%s: the canary was not found", name)
		}
	}
}

func TestCompressedParquetHidesFromAPlainSearch(t *testing.T) {
	// The reason for looking at values: the bytes of the file alone do not show the string.
	type row struct {
		Note string `parquet:"note"`
	}
	var columns bytes.Buffer
	w := parquet.NewGenericWriter[row](&columns, parquet.Compression(&zstd.Codec{}))
	for range 200 {
		_, _ = w.Write([]row{{Note: planted + planted}})
	}
	_ = w.Close()
	hits := search(t, "part.parquet", columns.Bytes())
	inside := false
	for _, h := range hits {
		inside = inside || h.File == "part.parquet!values"
	}
	if !inside {
		t.Fatalf("only %v", hits)
	}
}

func TestFindsNothingWhereNothingIs(t *testing.T) {
	if hits := search(t, "clean.txt", []byte("Zephyrine and O'Qar, +1-555-0100-7392, Zéphyrine O'Qarvat")); len(hits) > 0 {
		t.Fatalf("found %v", hits)
	}
}

func TestRefusesACanaryThatOccursByChance(t *testing.T) {
	if _, err := New([]string{"Ann"}); err == nil {
		t.Fatal("a three-letter canary was taken")
	}
}
