package pipeline

import (
	"context"
	"time"
)

// What tests outside of the package need to see of its inside.

// AsProcess makes a site that of another process, on a machine where those before it have ended.
func AsProcess(s *Site, pid int) *Site {
	s.asTenant = &tenant{host: "a", pid: pid, machine: "a", now: time.Now, gone: func(earlier int) bool { return earlier < pid }}
	return s
}

// OpenSiteOn opens a clinic in a store that is at hand.
var OpenSiteOn = openSite

// PseudonymKinds says of every column that holds pseudonyms whose they are.
var PseudonymKinds = pseudonymKinds

// PseudonymsInside says of which columns a rekey finds them inside of texts.
func PseudonymsInside(column string) bool { return pseudonymsInside[column] != nil }

// HoldLease writes a clinic's lease, whatever it is; HoldBackups that of its backups.
func HoldLease(ctx context.Context, s *Site, l Lease) error { return holdIn(ctx, s, leaseRegister, l) }

// HoldBackups writes the lease of a clinic's backups.
func HoldBackups(ctx context.Context, s *Site, l Lease) error {
	return holdIn(ctx, s, backupRegister, l)
}

func holdIn(ctx context.Context, s *Site, register string, l Lease) error {
	return recordOf[Lease](s, register, "holding the lease").change(ctx, func(held *Lease) error {
		*held = l
		return nil
	})
}
