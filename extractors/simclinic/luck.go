package simclinic

import "math/rand/v2"

// luck is one stream of chances. Every person and every other actor has a stream of their own, so that what happens to
// one does not hang on how often another was asked.
type luck struct{ *rand.Rand }

// The streams that do not belong to a person; a person's stream is streamPeople plus their place in the list.
const (
	streamTokens = iota
	streamClinic
	streamWaves
	streamDecks
	streamStyles
	streamClasses
	streamIdle
	streamPeople = 1 << 32
	streamGUIDs  = 1 << 40
	// Those of money are by the place of a part or payment.
	streamAdjustments = 1 << 41
	streamRefunds     = 1 << 42
	streamPayments    = 1 << 48
)

func newLuck(seed, stream uint64) luck {
	return luck{rand.New(rand.NewPCG(seed, stream))}
}

func (l luck) chance(p float64) bool { return l.Float64() < p }

// between is lo to hi, both included.
func (l luck) between(lo, hi int) int { return lo + l.IntN(hi-lo+1) }

func (l luck) days(lo, hi int) day { return day(l.between(lo, hi)) }
