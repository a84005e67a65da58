package lake

import "iter"

// Prefix is what the names of all objects of a clinic begin with.
func Prefix(id ClinicID) string { return clinicFolder + string(id) + "/" }

// CommitName is the name, in the clinic's prefix, of the commit of a number, and CommitNumber its inverse: 0 for another name.
func CommitName(number int64) string { return commitName(number) }

// CommitNumber is the number of the commit that has this name in the clinic's prefix; 0 for another name.
func CommitNumber(name string) int64 { return commitNumber(name) }

// Names yields every object that the commit names.
func (c *Commit) Names() iter.Seq[Object] { return c.objects }
