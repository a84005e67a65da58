package browser

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// BenchmarkExports takes exports through browser and proxy, and says beside it how fast a bare HTTP client gets the same
// files in the same run.
func BenchmarkExports(b *testing.B) {
	for _, secure := range []bool{false, true} {
		for _, size := range []int{1 << 20, 32 << 20} {
			b.Run(fmt.Sprintf("TLS=%v/%dMB", secure, size>>20), func(b *testing.B) { benchmarkExports(b, secure, size) })
		}
	}
}

func benchmarkExports(b *testing.B, secure bool, size int) {
	file := bytes.Repeat([]byte("2026-01-02,Physio,1531-P01,95.00\n"), size/33)
	portal := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page" {
			htmlf(w, "<a href=/downloads/x.csv>x</a>")
			return
		}
		w.Header().Set("Content-Type", "text/csv")
		w.Header().Set("Content-Length", fmt.Sprint(len(file)))
		_, _ = w.Write(file)
	})
	var address string
	var roots *x509.CertPool
	if secure {
		address, roots, _ = serveTLS(b, portal, nil)
	} else {
		address = serve(b, portal, nil)
	}
	bare := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	b.Cleanup(bare.CloseIdleConnections)
	const floors = 10
	began := time.Now()
	for range floors {
		answer, err := bare.Get(address + "/downloads/x.csv")
		if err != nil {
			b.Fatal(err)
		}
		body := make([]byte, answer.ContentLength)
		_, err = io.ReadFull(answer.Body, body)
		answer.Body.Close()
		if err != nil || len(body) != len(file) {
			b.Fatal(len(body), err)
		}
	}
	floor := float64(floors*len(file)) / 1e6 / time.Since(began).Seconds()

	s := startSession(b, Config{Origin: mustOrigin(b, address), Rules: exportRules, roots: roots})
	page := open(b, s, address+"/page")
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		waiting, err := s.Capture()
		if err != nil {
			b.Fatal(err)
		}
		// A click on a link that Chromium is still following would be ignored.
		eval(b, page, `() => { fetch('/downloads/x.csv') }`)
		export, err := waiting.Wait(b.Context())
		if err != nil || len(export.Body) != len(file) {
			b.Fatal(len(export.Body), err)
		}
	}
	reached := float64(b.N*len(file)) / 1e6 / b.Elapsed().Seconds()
	b.ReportMetric(floor, "bare-MB/s")
	b.ReportMetric(reached/floor, "of-bare")
}
