// Package bgnbd fits the BG/NBD model of repeat visits (Fader, Hardie and Lee 2005) and the MBG/NBD model (Batislam, Denizel
// and Filiztekin 2007; Wagner and Hoppe 2008) by maximum likelihood. Scoring entities with the parameters is done in SQL, by
// the macro `alive`.
//
// Both models: while an entity is there, it comes at random with a rate that is Gamma(r, alpha) over entities; after a visit it
// drops out for good with a chance that is Beta(a, b) over entities. In BG/NBD the first visit is exempt, so who came once is
// never found to be gone; in MBG/NBD it is not.
package bgnbd

import (
	"fmt"
	"math"
)

// Model says which of the two models is meant.
type Model string

// Version names the way in which parameters are searched: under another one, the same histories may give other digits.
const Version = "bgnbd 2"

// The models.
const (
	MBG Model = "mbgnbd"
	BG  Model = "bgnbd"
)

// Parameters are a model's, for whatever unit of time the histories are in.
type Parameters struct {
	R, Alpha, A, B float64
}

// Check says what is wrong with parameters that somebody typed.
func (p Parameters) Check() error {
	for _, each := range []struct {
		name  string
		value float64
	}{{"r", p.R}, {"alpha", p.Alpha}, {"a", p.A}, {"b", p.B}} {
		if !(each.value > 0) || math.IsInf(each.value, 0) {
			return fmt.Errorf("%s is %v: parameters are numbers above 0", each.name, each.value)
		}
	}
	return nil
}

// History is what the models need to know of an entity: X visit days after the first, the last of them RecencyT after the
// first, watched until AgeT after the first; Count entities have this history.
type History struct {
	X              int64
	RecencyT, AgeT float64
	Count          int64
}

// Check says what is wrong with a history, which no entity can have.
func (h History) Check() error {
	if h.X < 0 || h.Count < 0 || !(h.RecencyT >= 0) || !(h.AgeT >= h.RecencyT) {
		return fmt.Errorf("%d entities with %d more visit days, the last %v after the first, watched for %v: days and times are 0 or more, "+
			"and the last visit is within the time watched", h.Count, h.X, h.RecencyT, h.AgeT)
	}
	return nil
}

// LogLikelihood is the natural logarithm of the probability (density) of the histories.
func LogLikelihood(model Model, p Parameters, histories []History) float64 {
	l, _ := newLikelihood(model, histories).at(p)
	return l
}

// likelihood holds histories so that its value and slope can be had many times. The ratios of gamma and beta functions in it
// are products over 0 … x-1, since x is a whole number; sums of their logarithms keep their digits where parameters are huge,
// as they are when a fit runs along a ridge.
type likelihood struct {
	model     Model
	histories []History
	longest   int64
	entities  float64

	// Sums over i < n, for n up to longest + 1.
	rates, rateSlopes, stays, staySlopesA, staySlopesB []float64
	// ln(b + i).
	stayLogs []float64
}

func newLikelihood(model Model, histories []History) *likelihood {
	l := &likelihood{model: model, histories: histories}
	for _, h := range histories {
		l.longest = max(l.longest, h.X)
		l.entities += float64(h.Count)
	}
	n := l.longest + 2
	l.rates, l.rateSlopes = make([]float64, n), make([]float64, n)
	l.stays, l.staySlopesA, l.staySlopesB = make([]float64, n), make([]float64, n), make([]float64, n)
	l.stayLogs = make([]float64, n)
	return l
}

// at gives the log-likelihood and its slope in r, alpha, a and b.
func (l *likelihood) at(p Parameters) (value float64, slope [4]float64) {
	for n := int64(1); n < int64(len(l.rates)); n++ {
		i := float64(n - 1)
		// Relative to alpha, so that a rate of r/alpha in the limit of no spread costs no digits.
		l.rates[n] = l.rates[n-1] + math.Log((p.R+i)/p.Alpha)
		l.rateSlopes[n] = l.rateSlopes[n-1] + 1/(p.R+i)
		l.stays[n] = l.stays[n-1] - math.Log1p(p.A/(p.B+i))
		l.staySlopesA[n] = l.staySlopesA[n-1] - 1/(p.A+p.B+i)
		l.staySlopesB[n] = l.staySlopesB[n-1] + p.A/((p.B+i)*(p.A+p.B+i))
		l.stayLogs[n-1] = math.Log(p.B + i)
	}
	logA := math.Log(p.A)
	var sum compensated
	for _, h := range l.histories {
		x, count := float64(h.X), float64(h.Count)
		aged := math.Log1p(h.AgeT / p.Alpha)
		chances := h.X
		if l.model == MBG {
			chances++
		}
		each := l.rates[h.X] - (p.R+x)*aged + l.stays[chances]
		slope[0] += count * (l.rateSlopes[h.X] - aged)
		slope[1] += count * ((p.R+x)*h.AgeT/(p.Alpha+h.AgeT) - x) / p.Alpha
		slope[2] += count * l.staySlopesA[chances]
		slope[3] += count * l.staySlopesB[chances]
		if chances > 0 {
			silence := math.Log1p((h.AgeT - h.RecencyT) / (p.Alpha + h.RecencyT))
			staying := p.B + float64(chances-1)
			odds := logA - l.stayLogs[chances-1] + (p.R+x)*silence
			logMixed, isGone := softplus(odds)
			each += logMixed
			gone := count * isGone
			slope[0] += gone * silence
			slope[1] -= gone * (p.R + x) * (h.AgeT - h.RecencyT) / ((p.Alpha + h.AgeT) * (p.Alpha + h.RecencyT))
			slope[2] += gone / p.A
			slope[3] -= gone / staying
		}
		sum.add(count * each)
	}
	return sum.total(), slope
}

// softplus is ln(1 + exp(x)), and its slope, the probability with log odds x.
func softplus(x float64) (value, slope float64) {
	e := math.Exp(-math.Abs(x))
	if x > 0 {
		return x + math.Log1p(e), 1 / (1 + e)
	}
	return math.Log1p(e), e / (1 + e)
}

// compensated is Neumaier's sum, so that the likelihood of a million entities has digits enough to be climbed to its top.
type compensated struct{ sum, rest float64 }

func (c *compensated) add(v float64) {
	t := c.sum + v
	if math.Abs(c.sum) >= math.Abs(v) {
		c.rest += (c.sum - t) + v
	} else {
		c.rest += (v - t) + c.sum
	}
	c.sum = t
}

func (c *compensated) total() float64 { return c.sum + c.rest }
