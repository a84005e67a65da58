package lake

import (
	"context"
	"path"
	"strconv"
	"strings"
)

// A Cache keeps stored bytes of one clinic's objects on this machine, sealed, under names that follow from their content. Only
// verified bytes are put there, and they are verified again when they come out. Nothing rests on it. See package diskcache.
type Cache interface {
	// Get gives nil for what is not there.
	Get(name string) []byte
	Put(name string, body []byte)
	Drop(name string)
	// Retain removes all that is not live, or with dry only says what it would remove.
	Retain(live func(name string) bool, dry bool) (entries int, bytes int64, err error)
}

// reader is the clinic for those that read it, who look into the cache first. Who writes, or verifies a lake, asks the store.
func (c *Clinic) reader() *Clinic {
	if c.cache == nil || c.key == nil {
		return c // without the naming key nothing can be verified
	}
	r := *c
	r.reading = true
	return &r
}

// fresh is the clinic for those that ask the store.
func (c *Clinic) fresh() *Clinic {
	f := *c
	f.reading = false
	return &f
}

// cachedName is an object's name in a cache, empty where it must not lie there: what has a key of its own goes with that key.
// The hash of the content is in the object's own name; encrypted rows of the same content have other bytes each time. What was
// kept before a patient was erased, by whichever machine, may hold that patient's rows: the name counts erasures, and where no
// newest commit has told their number there is none.
func (c *Clinic) cachedName(o Object) string {
	hash, _, _ := strings.Cut(path.Base(o.Path), ".")
	erasures := c.erasures.Load()
	if o.Sealed || o.erased || erasures < 0 || !hashName.MatchString(hash) {
		return ""
	}
	if o.Key != "" {
		hash += "-" + o.Sum
	}
	if erasures > 0 {
		hash += "-" + strconv.FormatInt(erasures, 10)
	}
	return hash
}

// cached is an object's stored bytes, verified, where a reader's cache has them; else nil.
func (c *Clinic) cached(o Object) []byte {
	name := c.cachedName(o)
	if !c.reading || name == "" {
		return nil
	}
	stored := c.cache.Get(name)
	if stored == nil {
		return nil
	}
	var wrong bool
	if o.Key != "" {
		wrong = sumOf(stored) != o.Sum
	} else {
		wrong = c.verify(o, stored) != nil
	}
	if wrong {
		c.cache.Drop(name)
		return nil
	}
	return stored
}

// keep puts an object's stored bytes, which were verified, into a reader's cache. What lies in another's place is asked for every
// time: the commit speaks of the other.
func (c *Clinic) keep(o Object, stored []byte) {
	if name := c.cachedName(o); c.reading && name != "" {
		c.cache.Put(name, stored)
	}
}

// sweepCache removes from this machine's cache what no kept commit names.
func (g *collector) sweepCache(context.Context) (err error) {
	if g.clinic.cache == nil {
		return nil
	}
	g.out.Cached, g.out.CachedBytes, err = g.clinic.cache.Retain(func(name string) bool { return g.cached[name] }, g.o.DryRun)
	return err
}
