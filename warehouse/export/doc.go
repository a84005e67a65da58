// Package export writes everything of one clinic into a folder that anybody can read without this program, and reads such a
// folder back.
//
//	manifest.json            what lies in the folder, with digests, and what must go with the rows: see Manifest
//	README.txt               what a person who finds the folder needs to know
//	dictionary.json          every table and column: type, unit, nullability, sensitivity, meaning
//	clinic.yaml              the clinic's settings
//	datasets/<name>.csv      rows, in the order in which a lake keeps them (.jsonl for JSON, one object a line)
//	datasets/<name>/<month>.parquet
//	marts/<name>.csv         what the models made; an import makes them anew
//	removed/<name>.csv       digests of what is known to be gone, so that an old report cannot bring it back
//
// A folder is written beside its place under another name, and renamed when all of it is durable: it is there as a whole or not
// at all. What is read is not trusted: every file is checked against the manifest, every cell against the contract, and the
// first thing that is wrong ends the reading with file, row and column.
package export
