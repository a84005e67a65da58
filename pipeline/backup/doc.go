// Package backup copies a clinic out of a lake into a second store, always encrypted, and gives it back.
//
// A backup of a clinic lies under one prefix of the second store:
//
//	backups/<clinic>/objects/<hash>        one object of the lake, sealed
//	backups/<clinic>/manifests/<number>    a backup: what it consists of, sealed
//
// Every object is sealed with AES-256-GCM under the keys of the clinic's backups, which are in the vault and nowhere else, and
// bound to its name, whatever the lake does about encryption. The hash is a keyed one of the object's name in the lake and of its
// bytes, so that what is there already is not sent again, and names say nothing.
//
// A backup exists when its manifest does. It is written last, by a create-only request, after everything in it was read back
// and compared; one that is cut short leaves objects that no manifest names, and the next goes on from them. Earlier manifests stay
// readable.
//
// Prune removes old manifests, and then the objects that no manifest names any more.
package backup
