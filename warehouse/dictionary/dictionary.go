// Package dictionary explains every table that analysts meet: the datasets as the contract has them, and the marts as the
// models make them. docs/schema.md and the dictionary of every export are made of it.
package dictionary

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/models"
)

// Table is one table of the schema lake or marts.
type Table struct {
	// Schema is lake for what came from the portal, marts for what the models made.
	Schema string `json:"schema"`
	Name   string `json:"name"`
	// Grain says what one row is.
	Grain string `json:"grain"`
	// About says more, where there is more to say.
	About string `json:"about,omitempty"`
	// Key are the columns that no two rows share, for marts.
	Key     []string `json:"key,omitempty"`
	Columns []Column `json:"columns"`
	// Example is a query that shows what the table is for.
	Example string `json:"example"`
}

// Column is one column of a table.
type Column struct {
	Name string `json:"name"`
	// Type is what SQL calls it.
	Type string `json:"type"`
	// Unit is what a number counts, empty where there is none.
	Unit        string               `json:"unit,omitempty"`
	Nullable    bool                 `json:"nullable"`
	Sensitivity contract.Sensitivity `json:"sensitivity"`
	Meaning     string               `json:"meaning"`
}

// FullName is the table as SQL names it.
func (t Table) FullName() string { return t.Schema + "." + t.Name }

// Tables explains all tables, datasets first. What columns the marts have is found out by building them over nothing.
func Tables(ctx context.Context) ([]Table, error) {
	var out []Table
	for _, d := range contract.Datasets() {
		t := Table{Schema: "lake", Name: d.Name, Grain: d.Grain, Example: examples["lake."+d.Name]}
		for _, c := range d.Stored() {
			t.Columns = append(t.Columns, Column{
				Name: c.Name, Type: sqlType(c.Type), Unit: c.Unit, Nullable: c.Nullable, Sensitivity: c.Sensitivity, Meaning: c.Meaning,
			})
		}
		out = append(out, t)
	}
	built, err := models.Build(ctx, models.Inputs{
		Settings: settings.Clinic{Name: "nobody's", TimeZone: "UTC", Currency: "CAD"}, AsOf: civil.Date{Year: 2026, Month: time.January, Day: 1}, Threads: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("finding out the marts' columns: %w", err)
	}
	project, err := models.Own()
	if err != nil {
		return nil, fmt.Errorf("reading what is declared of the marts: %w", err)
	}
	for _, m := range built.Marts {
		declared := models.Declared{}
		if model, isModel := project.Model(string(models.Marts) + "." + m.Name); isModel {
			declared, _ = model.Declared()
		}
		t := Table{Schema: "marts", Name: m.Name, Grain: m.Grain, About: m.Description, Key: m.Key, Example: examples["marts."+m.Name]}
		for _, c := range m.Columns {
			said := martColumn(m.Name, c.Name)
			if beside := declared.Columns[c.Name].Description; beside != "" {
				said.Meaning = beside
			}
			said.Name, said.Type = c.Name, c.Type
			t.Columns = append(t.Columns, said)
		}
		out = append(out, t)
	}
	return out, nil
}

// sqlType is a type of the contract as DuckDB shows it: an instant knows that it is UTC.
func sqlType(contractType string) string {
	if contractType == "TIMESTAMP" {
		return "TIMESTAMP WITH TIME ZONE"
	}
	return contractType
}
