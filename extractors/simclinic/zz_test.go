package simclinic

import (
	"fmt"
	"runtime"
	"testing"
	"time"
	"os"
)

func TestZZBig(t *testing.T) {
	d := DefaultDials()
	d.Patients = 200000
	t0 := time.Now()
	c := mustClinic(t, d)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w := c.world
	fmt.Println("new", time.Since(t0), "staff", len(w.premises.staff), "appts", len(w.appointments), "inv", len(w.invoices), "parts", len(w.parts), "claims", len(w.claims), "heap", m.HeapAlloc>>20, "sys", m.Sys>>20, "truth", len(c.truth))
	t0 = time.Now()
	format := "csv"
	if f := os.Getenv("FORMAT"); f != "" { format = f }
	dir := t.TempDir()
	if err := c.Export(t.Context(), dir+"/a", dir+"/truth.csv", format); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&m)
	fmt.Println("export", time.Since(t0), "sys", m.Sys>>20)
	t0=time.Now(); n:=len(c.Canaries()); fmt.Println("canaries",n,time.Since(t0))
	_ = t0
	es, _ := os.ReadDir(dir + "/a")
	for _, e := range es { i, _ := e.Info(); if i.Size() > 10<<20 || len(es)<80 && i.Size()>1<<20 { fmt.Println(e.Name(), i.Size()>>20) } }
}
