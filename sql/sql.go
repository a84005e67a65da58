// Package sql holds the models: every .sql file under staging, intermediate, fitted and marts is one select statement, named
// after its folder and file (`marts/leak_ledger.sql` is the table marts.leak_ledger), and every file under macros defines
// the macro of its name.
//
// A model begins with a comment that says its grain (what one row is), its key (the columns that identify a row, `none`
// where there are none) and its description. Models read other models, the tables `lake.<dataset>` with the columns of
// transforms/contract, the tables `settings.*` made from clinic.yaml, and `closed.*` with what was published of closed
// months; package warehouse/models finds the order and runs them. Staging cleans the datasets and says how things stood at the as-of day, intermediate models answer one
// question each, marts are what is published: no `select *`, a total order, and only the types bigint, double, varchar,
// date and boolean.
//
// A model under fitted is not what its select gives: that is what Go fits something to, and the table holds what was found.
//
// Every file under checks is a select over marts and settings whose rows are what is wrong; its header says severity (block or
// warn), description and remedy. A build that breaks a blocking one is not published.
//
// Macros are what the models share with the analysis of other event files: they take the name of a table and know
// nothing of clinics.
package sql

import (
	"embed"
	"io/fs"
)

//go:embed macros staging intermediate fitted marts checks
var files embed.FS

//go:embed tests
var tests embed.FS

//go:embed metrics
var metrics embed.FS

// Files is the tree of models and macros, with what is declared of each model beside it.
func Files() fs.FS { return files }

// Tests is the tree of the models' tests: the folder tests.
func Tests() fs.FS { return tests }

// Metrics is the tree of the metric dictionary: the folder metrics.
func Metrics() fs.FS { return metrics }
