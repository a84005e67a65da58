// Package sandbox answers SQL that analysts write, where nothing they write can do harm.
//
// Two doors stand before the rows. The gate (Check) has DuckDB's own parser make a tree of the text and lets pass one SELECT
// over tables that the caller named, made of nodes, functions and types from lists of ours: what is on no list is refused. And
// what passes runs in a process of its own (Pool), which holds those tables in memory and nothing else, has let go of every
// file and shut its DuckDB and itself off from all others, and is killed where it does not stop. The gate runs in such a process
// too, one that holds no rows: no text of an analyst reaches a parser inside the server.
//
// Who may ask what of which clinic is decided before: a Request says the tables, their columns and rows that are visible to
// the person who asks. What a person may not see is not in the process that answers.
package sandbox
