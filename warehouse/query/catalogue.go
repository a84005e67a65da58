package query

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed sql/*.sql
var texts embed.FS

//go:embed sql/macros/*.sql
var macros embed.FS

const macroFolder = "sql/macros"

// catalogue is every definition, its SQL filled in. It is never changed after the program has started.
var catalogue = withTexts(
	leakQueries, recoveryQueries, moneyQueries, claimQueries, falloffQueries, patientQueries, scheduleQueries, releasedQueries(),
)

// withTexts gives each definition the SQL file of its name. A definition without one cannot be shipped: the program
// would not start, and no test would pass.
func withTexts(groups ...[]Definition) []Definition {
	var all []Definition
	for _, group := range groups {
		for _, d := range group {
			d = d.withReleased()
			if !strings.HasPrefix(d.Name, releasedPrefix) {
				text, err := texts.ReadFile("sql/" + d.Name + ".sql")
				if err != nil {
					panic(fmt.Sprintf("query %s has no SQL: %v", d.Name, err))
				}
				d.text = string(text)
			}
			if d.Parameters == nil {
				d.Parameters = []Parameter{}
			}
			all = append(all, d)
		}
	}
	return all
}

// disciplineParameter narrows to one discipline, by the name that the clinic gave it.
var disciplineParameter = Parameter{
	Name: "discipline", Title: "Discipline", Type: TextParameter, Default: "all",
	Description: "A discipline's name as the query \"disciplines\" lists it, or all",
}

// chosen narrows to one value of a list, as the query "choices" gives it.
func chosen(list, title string) Parameter {
	return Parameter{
		Name: list, Title: title, Type: TextParameter, Default: "all",
		Description: "One of those that the query \"choices\" lists, or all",
	}
}

// limitParameter bounds a list of rows.
func limitParameter(rows int64) Parameter {
	return Parameter{
		Name: "limit", Title: "Rows", Type: IntegerParameter, Default: rows, Min: 1, Max: 5000,
		Description: "How many rows at most",
	}
}
