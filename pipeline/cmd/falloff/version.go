package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set at release; a build from a checkout says so.
var version = "0.1.0-dev"

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
				DuckDB  string `json:"duckdb_driver"`
			}{version, runtime.Version(), ""}
			if build, ok := debug.ReadBuildInfo(); ok {
				for _, dep := range build.Deps {
					if dep.Path == "github.com/duckdb/duckdb-go/v2" {
						v.DuckDB = dep.Version
					}
				}
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(v)
			}
			_, err := fmt.Fprintf(a.stdout, "falloff %s (%s, duckdb-go %s)\n", v.Version, v.Go, v.DuckDB)
			return err
		},
	}
}
