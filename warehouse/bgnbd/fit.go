package bgnbd

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// Fit is what a search for the most likely parameters found.
type Fit struct {
	Parameters Parameters
	// LogLikelihood is of the histories, without what a fallback adds to it.
	LogLikelihood float64
	Entities      int64
	// Starts is how many places the search began at, Evaluations how often the likelihood was computed.
	Starts, Evaluations int
	// Converged says that no more than 1e-8 of log-likelihood is left to be gained nearby.
	Converged bool
	// Fallback says why the parameters are not the most likely ones, empty where they are: then they are the most likely
	// under a weak prior, see Maximize.
	Fallback string
	// Limit names the parameters that run to zero or infinity, and what that means; empty where they have a place.
	Limit string
}

// What counts as the top, and as far away.
const (
	gainLeft = 1e-8
	farAway  = 12.0 // of a logarithm: a factor of 160,000 from where a scale would put it
	// sampled is how many histories the first searches look at.
	sampled = 500
)

// Maximize finds the most likely parameters: quasi-Newton searches (BFGS) from eight places, then Newton's method from the best
// of what they found. The same histories in the same order give the same parameters, to the last bit on one kind of processor.
//
// Where nobody came twice, or no search comes to rest, the most likely parameters do not exist or are not found. Then a weak
// prior is multiplied in, log-normal with a standard deviation of 2 around r = 1, alpha = r times the mean age,
// a/b = 1/e, a + b = e, and Fallback says so.
func Maximize(ctx context.Context, model Model, histories []History) (Fit, error) {
	if model != MBG && model != BG {
		return Fit{}, fmt.Errorf("model %q is not known: use %s or %s", model, MBG, BG)
	}
	for _, h := range histories {
		if err := h.Check(); err != nil {
			return Fit{}, fmt.Errorf("fitting %s: %w", model, err)
		}
	}
	l := newLikelihood(model, histories)
	if l.entities == 0 {
		return Fit{}, fmt.Errorf("fitting %s: there is no entity", model)
	}
	fit := Fit{Entities: int64(l.entities)}
	s := newSearch(ctx, l)
	if l.longest == 0 {
		fit.Fallback = "no entity has a second visit day, so that no parameters are the most likely ones"
	} else {
		best, isTop := s.run(&fit)
		if err := ctx.Err(); err != nil {
			return Fit{}, err
		}
		if fit.settle(l, best, isTop) {
			fit.Limit = limitsOf(best, s.scale)
			return fit, nil
		}
		fit.Fallback = "the search did not come to rest"
	}
	s.prior = true
	best, isTop := s.run(&fit)
	if err := ctx.Err(); err != nil {
		return Fit{}, err
	}
	fit.settle(l, best, isTop)
	return fit, nil
}

// settle takes the place that a search ended at, and says whether that is a top.
func (f *Fit) settle(l *likelihood, best []float64, isTop bool) bool {
	f.Parameters = parametersAt(best)
	f.LogLikelihood, _ = l.at(f.Parameters)
	f.Converged = isTop && !math.IsInf(f.LogLikelihood, 0) && !math.IsNaN(f.LogLikelihood)
	return f.Converged
}

// A place is ln r, ln(alpha/r), ln(a/b), ln(a+b): the mean rate and the mean chance of dropping out have an axis each, and
// where one of them has no spread the likelihood runs out along an axis.
func parametersAt(place []float64) Parameters {
	r := math.Exp(place[0])
	_, share := softplus(place[2])
	_, rest := softplus(-place[2])
	return Parameters{R: r, Alpha: r * math.Exp(place[1]), A: math.Exp(place[3]) * share, B: math.Exp(place[3]) * rest}
}

type search struct {
	ctx   context.Context
	whole *likelihood
	few   *likelihood
	scale []float64 // the place in the middle of the prior
	pace  float64   // days between visits while entities come, as a logarithm
	prior bool
}

func newSearch(ctx context.Context, l *likelihood) *search {
	s := &search{ctx: ctx, whole: l, few: l}
	if every := len(l.histories) / sampled; every > 1 {
		var some []History
		for i := 0; i < len(l.histories); i += every {
			some = append(some, l.histories[i])
		}
		s.few = newLikelihood(l.model, some)
	}
	var visits, recency, age float64
	for _, h := range l.histories {
		visits += float64(h.X) * float64(h.Count)
		recency += h.RecencyT * float64(h.Count)
		age += h.AgeT * float64(h.Count)
	}
	middle := 0.0
	if age > 0 {
		middle = math.Log(age / l.entities)
	}
	s.scale = []float64{0, middle, -1, 1}
	s.pace = middle
	if visits > 0 && recency > 0 {
		s.pace = math.Log(recency / visits)
	}
	return s
}

// run searches from every start and gives the best place, and whether it is a top.
func (s *search) run(fit *Fit) ([]float64, bool) {
	var best []float64
	least := math.Inf(1)
	first := s.problem(s.few, fit)
	for _, r := range []float64{-0.7, 0.7} {
		for _, odds := range []float64{-2, 0} {
			for _, sum := range []float64{0, 2} {
				fit.Starts++
				at := []float64{r, s.pace, odds, sum}
				if place, value := descend(first, at, &optimize.BFGS{}); value < least {
					best, least = place, value
				}
			}
		}
	}
	if best == nil {
		return s.scale, false
	}
	// Every computation over all entities counts, so that Newton's method goes on from the top of the few by itself.
	last := s.problem(s.whole, fit)
	if nearer, isFar := pulledBack(best, s.scale); isFar && s.few != s.whole {
		// The top of the few may lie at infinity where that of all does not, and nothing leads back from there.
		far, value := descend(last, best, &optimize.Newton{GradStopThreshold: math.NaN()})
		if nearer, lower := descend(last, nearer, &optimize.BFGS{}); lower < value {
			far = nearer
		}
		best = far
	}
	for range 4 {
		best, _ = descend(last, best, &optimize.Newton{GradStopThreshold: math.NaN()})
		if s.gain(last, best) <= gainLeft {
			return best, true
		}
		best, _ = descend(last, best, &optimize.BFGS{GradStopThreshold: math.NaN()})
	}
	return best, false
}

// descend gives the lowest place that a method finds. That a line search finds no lower point is how searches end near the
// bottom; whether it is one is judged by gain.
func descend(problem optimize.Problem, from []float64, method optimize.Method) ([]float64, float64) {
	result, _ := optimize.Minimize(problem, from, &optimize.Settings{
		MajorIterations:   300,
		GradientThreshold: 1e-11,
		Converger:         &optimize.FunctionConverge{Absolute: 1e-16, Iterations: 12},
	}, method)
	start := problem.Func(from)
	if result == nil || result.X == nil || math.IsNaN(result.F) || !(result.F <= start) {
		return from, start
	}
	return result.X, result.F
}

// problem is the negative log-likelihood of one entity in the mean, with the prior where it is asked for. Methods ask for value
// and slope of a place one after the other, so the last answer is kept.
func (s *search) problem(l *likelihood, fit *Fit) optimize.Problem {
	var last struct {
		place []float64
		value float64
		slope [4]float64
	}
	both := func(place []float64) (float64, [4]float64) {
		if last.place != nil && slices.Equal(last.place, place) {
			return last.value, last.slope
		}
		for _, each := range place {
			if math.IsNaN(each) || math.Abs(each) > 60 {
				return math.Inf(1), [4]float64{}
			}
		}
		fit.Evaluations++
		p := parametersAt(place)
		value, d := l.at(p)
		both := p.A * p.B / (p.A + p.B)
		slope := [4]float64{
			d[0]*p.R + d[1]*p.Alpha, d[1] * p.Alpha, (d[2] - d[3]) * both, d[2]*p.A + d[3]*p.B,
		}
		if s.prior {
			for i := range slope {
				off := (place[i] - s.scale[i]) / 2
				value -= off * off / 2
				slope[i] -= off / 2
			}
		}
		for i := range slope {
			slope[i] /= -l.entities
		}
		last.place, last.value, last.slope = append(last.place[:0], place...), -value/l.entities, slope
		return last.value, last.slope
	}
	gradient := func(out, place []float64) {
		_, slope := both(place)
		copy(out, slope[:])
	}
	return optimize.Problem{
		Func: func(place []float64) float64 {
			value, _ := both(place)
			return value
		},
		Grad: gradient,
		Hess: func(out *mat.SymDense, place []float64) {
			jacobian := mat.NewDense(len(place), len(place), nil)
			fd.Jacobian(jacobian, gradient, place, &fd.JacobianSettings{Formula: fd.Central, Step: 1e-5})
			for i := range place {
				for j := i; j < len(place); j++ {
					out.SetSym(i, j, (jacobian.At(i, j)+jacobian.At(j, i))/2)
				}
			}
		},
		Status: func() (optimize.Status, error) {
			if err := s.ctx.Err(); err != nil {
				return optimize.Failure, err
			}
			return optimize.NotTerminated, nil
		},
	}
}

// gain is how much more log-likelihood a quadratic through the place promises; infinity where the place is no top.
func (s *search) gain(problem optimize.Problem, place []float64) float64 {
	n := len(place)
	slope, curve := make([]float64, n), mat.NewSymDense(n, nil)
	problem.Grad(slope, place)
	problem.Hess(curve, place)
	var eigen mat.EigenSym
	if !eigen.Factorize(curve, true) {
		return math.Inf(1)
	}
	values := eigen.Values(nil)
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	// What rounding makes of a slope and a bend that are none.
	noise := 1 + math.Abs(problem.Func(place))
	total := 0.0
	for i, value := range values {
		along := mat.Dot(vectors.ColView(i), mat.NewVecDense(n, slope))
		// An axis without slope and bend is a ridge that has been walked to its end.
		if math.Abs(along) < 1e-13*noise && math.Abs(value) < 1e-8*noise {
			continue
		}
		if value <= 0 {
			return math.Inf(1)
		}
		total += along * along / value / 2
	}
	return total * s.whole.entities
}

// pulledBack moves a place that is far away along an axis to where the likelihood still has a slope.
func pulledBack(place, scale []float64) (nearer []float64, isFar bool) {
	nearer = slices.Clone(place)
	for i := range place {
		if off := place[i] - scale[i]; math.Abs(off) > farAway {
			nearer[i], isFar = scale[i]+math.Copysign(farAway/3, off), true
		}
	}
	return nearer, isFar
}

// limitsOf says which axes a search left in the direction of zero or infinity.
func limitsOf(place, scale []float64) string {
	switch {
	case place[0]-scale[0] > farAway:
		return "r and alpha run to infinity together: all entities come at one rate"
	case place[3]-scale[3] > farAway:
		return "a and b run to infinity together: all entities drop out with one chance"
	case place[2]-scale[2] < -farAway:
		return "a/b runs to 0: nobody drops out"
	case place[2]-scale[2] > farAway:
		return "a/b runs to infinity: everybody drops out at once"
	case place[0]-scale[0] < -farAway || place[3]-scale[3] < -farAway:
		return "parameters run to 0: entities are of two kinds, with nothing in between"
	default:
		return ""
	}
}
