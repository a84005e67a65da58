// Package iceberg describes a clinic's lake to other engines: Apache Iceberg tables, format 2, over the Parquet objects that our
// own commits name. Spark, Trino, Athena, Snowflake or PyIceberg read the same files; nothing is copied.
//
// There is one table for each dataset (namespace lake) and each mart (namespace marts), by the names that `falloff sql` gives
// them, under the clinic's prefix:
//
//	clinic=<id>/iceberg/lake/<dataset>/metadata/v<version>.metadata.json   the table: schema, snapshots, tags
//	clinic=<id>/iceberg/lake/<dataset>/metadata/<version>-….avro           which files a snapshot has, with their columns' bounds
//	clinic=<id>/iceberg/lake/<dataset>/metadata/version-hint.text          a recent version, for readers that do not list
//	clinic=<id>/iceberg/marts/<mart>/metadata/…
//
// That is the layout of Iceberg's Hadoop catalog: it needs no server. A version is created only if its number is
// free, by the store's own create-only write, so of two writers one wins and the other looks again.
//
// Each of our commits that changes a table is one snapshot of it, dated as the commit, tagged commit-<number>. Its id is a
// digest of table and number, so it is the same after everything was built anew. Our commit comes first and never waits: what
// is missing here, for whatever reason, is made up by the next Sync. Nothing here is needed to read the lake, and all of it can
// be made again from the commits.
//
// Objects have no field ids, so tables carry a name mapping. Columns are all nullable, since an object older than a column
// lacks it. Bounds are kept for dates, instants, numbers and flags, never for text: a pseudonym or a name is nowhere but in the
// Parquet objects themselves.
package iceberg
