// Package deletion deletes a clinic: what the lake holds of it with every version, its backups, what lies of it on this machine,
// and last its keys; and says so in a signed certificate.
//
// It is begun by a record at the lake's root, outside the clinic's prefix, from which on nobody can open the clinic:
//
//	barred/<clinic>/deletion.json        what is to be deleted, by whom, and what there was
//	barred/<clinic>/deleted.json         that it has ended; the clinic's id stays taken
//	deletions/<clinic>/<id>.json, .txt   the certificate, for programs and for people
//
// Every step looks at what is left, so a deletion that was cut short anywhere is gone on with by beginning again.
//
// BUG(deletion): a writer that was stopped in the middle (by a debugger, say) before the deletion began, and goes on after it
// ended, can still leave an object; verifying the certificate against the lake shows it. Copies that somebody made of the vault
// before still hold the keys.
package deletion
