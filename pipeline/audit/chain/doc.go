// Package chain keeps the audit log of a server, which answers hundreds of requests a second: a chain of records of its own, durable
// on this machine before an answer goes out, and in the lake within seconds.
//
// # What lies where
//
// A record is first a frame of a file of this machine, sealed with AES-256-GCM and bound to server and number; of many appenders
// that wait, one flush to the disk is enough. The files are sent as segments, which are objects of JSON lines, and removed when
// they are in the lake:
//
//	audit/servers/<server>/key.json                       the public key of the chain's checkpoints, for its life
//	audit/servers/<server>/segments/<first number>.jsonl  records, each with the hash of the one before
//	audit/servers/<server>/checkpoints/<number>.json      signed: record <number> has this hash; and which checkpoint came before
//
// All are made by create-only requests. The first record holds the hash of key.json in the place of the hash of the record before,
// and each record names its server, so that no part of a chain fits into another. That the chain was begun, and with which key, is
// a record of the lake's log of commands.
//
// # What is found
//
// Verify finds every record, segment and checkpoint that was changed, removed, put in or moved, up to the newest checkpoint. What
// came after that (a minute at most) could be replaced by whoever can delete objects of the lake, and the server's next record
// would show it. Who removes the newest segments and checkpoints together leaves a chain that looks whole: the vaults that have seen
// more tell, and so does the server's next record.
//
// # A lost tail
//
// Records that were promised and never reached the lake (their file was lost, or taken away) must not be lost in silence. The number
// and hash of the newest record are therefore written to a second file, the mark, which lies in another folder, before a record is
// promised. A server that finds less than its mark goes on behind the mark, so that the missing numbers stay missing, and its
// first record says how many were lost. Where the mark is lost as well, the first record says that nothing is known, unless the
// chain had been closed in order. Both are named by Verify, at the next checkpoint at the latest, until a person explains them. Who
// can forge both files and the vault of the server's machine can be the server: nothing here protects against them.
//
// BUG(chain): Verify and Search read the whole chain. A server that is busy day and night makes some 8,000 segments and 1,400
// checkpoints a day; reading a year of them from S3 takes most of an hour.
package chain
