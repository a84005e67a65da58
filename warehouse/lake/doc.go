// Package lake keeps what was brought home from a clinic: immutable Parquet objects, and the commits that make them
// visible.
//
// Everything of one clinic lies under one prefix, in a local directory or an S3 bucket:
//
//	clinic=<id>/data/<dataset>/month=YYYY-MM/<hash>.parquet   rows of one dataset and month (month=undated where rows have none)
//	clinic=<id>/data/<dataset>/removed/<hash>.parquet         what is known to be gone, so that old files cannot bring it back
//	clinic=<id>/marts/<name>/<hash>.parquet                   what the models made of one commit
//	clinic=<id>/settings/<hash>                               the clinic's settings as they were
//	clinic=<id>/released/<hash>                               what is told in aggregates, and what is withheld
//	clinic=<id>/commits/<number>.json                         what is live, and everything that must agree with it
//	clinic=<id>/commits/hint                              a recent number, where to begin looking; nothing rests on it
//	clinic=<id>/redirects/<path>                             where the rows are of an object that a patient was erased from
//	clinic=<id>/erased/<hash>                                who was erased, and must not land again: a keyed hash, and no content
//	clinic=<id>/dropped/<number>                          says that the objects of this commit were let go (GC)
//	clinic=<id>/state/<name>/<number>                         small values that change: pause, lease, progress (Register)
//	clinic=<id>/keys/<name>                                   sealed keys, written by the vault and opaque here
//
// A <hash> is a keyed hash of the object's plain bytes: whoever lacks the clinic's key learns nothing from a name, and the
// same rows get the same name on every run. Objects are written first and named by a commit after; a commit is
// created only if its number is still free, so that of two writers one wins and the other plans again on top of the winner.
// A crash in between leaves objects that nothing names, which no reader sees.
//
// Upsert merges a batch of rows. The outcome does not depend on the order in which batches arrive, nor on how often:
// see Upsert for the rule and why it holds.
package lake
