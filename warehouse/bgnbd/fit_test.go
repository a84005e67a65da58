package bgnbd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// simulate lets entities of a model come and go.
func simulate(model Model, p Parameters, entities int, seed uint64) []History {
	source := rand.New(rand.NewPCG(seed, 1))
	rate := distuv.Gamma{Alpha: p.R, Beta: p.Alpha, Src: source}
	chance := distuv.Beta{Alpha: p.A, Beta: p.B, Src: source}
	var out []History
	for range entities {
		lambda, drop := rate.Rand(), chance.Rand()
		h := History{AgeT: float64(source.IntN(700)+1) / 7, Count: 1}
		at, isThere := 0.0, model == BG || source.Float64() >= drop
		for isThere {
			at += source.ExpFloat64() / lambda
			if at > h.AgeT {
				break
			}
			h.X++
			h.RecencyT = at
			isThere = source.Float64() >= drop
		}
		out = append(out, h)
	}
	return out
}

func TestSlopeIsTheLikelihoods(t *testing.T) {
	for _, model := range []Model{MBG, BG} {
		histories := simulate(model, Parameters{1.5, 2, 0.8, 3}, 200, 5)
		for _, p := range []Parameters{{1.5, 2, 0.8, 3}, {0.01, 40, 12, 0.3}, {300, 20, 1e-3, 1e3}} {
			l := newLikelihood(model, histories)
			_, slope := l.at(p)
			want := fd.Gradient(nil, func(v []float64) float64 {
				return LogLikelihood(model, Parameters{math.Exp(v[0]), math.Exp(v[1]), math.Exp(v[2]), math.Exp(v[3])}, histories)
			}, []float64{math.Log(p.R), math.Log(p.Alpha), math.Log(p.A), math.Log(p.B)}, &fd.Settings{Formula: fd.Central})
			for i, each := range []float64{p.R, p.Alpha, p.A, p.B} {
				if got := slope[i] * each; math.Abs(got-want[i]) > 1e-4*math.Max(1, math.Abs(want[i])) {
					t.Errorf("%s at %v: slope %d is %v, want %v", model, p, i, got, want[i])
				}
			}
		}
	}
}

func TestFitFindsTheParametersThatMadeTheData(t *testing.T) {
	for _, model := range []Model{MBG, BG} {
		truth := Parameters{1.2, 2.5, 0.9, 3.5}
		histories := simulate(model, truth, 8_000, 11)
		fit, err := Maximize(t.Context(), model, histories)
		if err != nil {
			t.Fatal(err)
		}
		if !fit.Converged || fit.Fallback != "" || fit.Limit != "" {
			t.Errorf("%s: %+v", model, fit)
		}
		if at := LogLikelihood(model, truth, histories); fit.LogLikelihood < at {
			t.Errorf("%s: log-likelihood %v, and %v at the parameters that made the data", model, fit.LogLikelihood, at)
		}
		for name, pair := range map[string][2]float64{
			"r": {fit.Parameters.R, truth.R}, "alpha": {fit.Parameters.Alpha, truth.Alpha}, "a": {fit.Parameters.A, truth.A}, "b": {fit.Parameters.B, truth.B},
		} {
			if math.Abs(math.Log(pair[0]/pair[1])) > 0.3 {
				t.Errorf("%s: %s is %v, the data were made with %v", model, name, pair[0], pair[1])
			}
		}
	}
}

func TestFitAtTheEdges(t *testing.T) {
	for _, test := range []struct {
		name      string
		histories []History
		fallback  bool
	}{
		{"nobody came again", []History{{0, 0, 30, 50}, {0, 0, 10, 4}}, true},
		{"one entity, at its first day", []History{{0, 0, 0, 1}}, true},
		{"one entity that came often", []History{{300, 299, 300, 1}}, false},
		{"all alike", []History{{4, 8, 9, 1000}}, false},
		{"everybody comes for ever", []History{{10, 20, 20, 500}, {20, 20, 20, 500}, {30, 20, 20, 500}}, false},
		{"thousands of visits over decades", []History{{5000, 2000, 2000, 3}, {1, 0.2, 1500, 40}, {70, 300, 1800, 9}, {0, 0, 2000, 60}}, false},
	} {
		for _, model := range []Model{MBG, BG} {
			t.Run(fmt.Sprintf("%s/%s", test.name, model), func(t *testing.T) {
				fit, err := Maximize(t.Context(), model, test.histories)
				if err != nil {
					t.Fatal(err)
				}
				if (fit.Fallback != "") != test.fallback || !fit.Converged {
					t.Errorf("fit %+v", fit)
				}
				if err := fit.Parameters.Check(); err != nil {
					t.Errorf("%v: %v", fit.Parameters, err)
				}
			})
		}
	}
}

// TestFitIsWithinItsStandardErrors takes the errors from the curvature of the likelihood at its top. Of the 32 distances here none
// is above 4 and most are below 1.5, as they are of a normal distribution.
func TestFitIsWithinItsStandardErrors(t *testing.T) {
	truth := Parameters{1.2, 2.5, 0.9, 3.5}
	near, all := 0, 0
	for _, model := range []Model{MBG, BG} {
		for seed := range uint64(4) {
			histories := simulate(model, truth, 3_000, 100+seed)
			fit, err := Maximize(t.Context(), model, histories)
			if err != nil || !fit.Converged {
				t.Fatalf("%+v (%v)", fit, err)
			}
			at := []float64{math.Log(fit.Parameters.R), math.Log(fit.Parameters.Alpha), math.Log(fit.Parameters.A), math.Log(fit.Parameters.B)}
			bend := mat.NewSymDense(4, nil)
			fd.Hessian(bend, func(v []float64) float64 {
				return -LogLikelihood(model, Parameters{math.Exp(v[0]), math.Exp(v[1]), math.Exp(v[2]), math.Exp(v[3])}, histories)
			}, at, &fd.Settings{Step: 1e-3})
			var covariance mat.Dense
			if err := covariance.Inverse(bend); err != nil {
				t.Fatal(err)
			}
			for i, made := range []float64{truth.R, truth.Alpha, truth.A, truth.B} {
				distance := math.Abs(at[i]-math.Log(made)) / math.Sqrt(covariance.At(i, i))
				if !(distance < 4) {
					t.Errorf("%s, seed %d: parameter %d is %v standard errors from the one that made the data", model, seed, i, distance)
				}
				all++
				if distance < 1.5 {
					near++
				}
			}
		}
	}
	if near*3 < all*2 {
		t.Errorf("only %d of %d are within 1.5 standard errors", near, all)
	}
}

// TestFitComesBackFromWhereTheFewRun is of parameters so large that some hundred entities do not tell them from infinity.
func TestFitComesBackFromWhereTheFewRun(t *testing.T) {
	truth := Parameters{2, 4, 12, 240}
	ran := 0
	for seed := range uint64(3) {
		histories := simulate(MBG, truth, 6_000, seed)
		var some []History
		for i := 0; i < len(histories); i += len(histories) / sampled {
			some = append(some, histories[i])
		}
		few, err := Maximize(t.Context(), MBG, some)
		if err != nil {
			t.Fatal(err)
		}
		if few.Limit != "" {
			ran++
		}
		fit, err := Maximize(t.Context(), MBG, histories)
		if err != nil {
			t.Fatal(err)
		}
		if at := LogLikelihood(MBG, truth, histories); !fit.Converged || fit.Limit != "" || fit.LogLikelihood < at {
			t.Errorf("seed %d: %+v, at the parameters that made the data %v", seed, fit, at)
		}
	}
	if ran == 0 {
		t.Error("the few run nowhere: the test proves nothing")
	}
}

func TestHistoriesThatNobodyHasAreRefused(t *testing.T) {
	fine := History{X: 1, RecencyT: 2, AgeT: 2, Count: 1}
	for name, h := range map[string]History{
		"fewer than no visits":       {X: -1, RecencyT: 0, AgeT: 1, Count: 1},
		"a visit before the first":   {X: 1, RecencyT: -1, AgeT: 1, Count: 1},
		"a visit after the watch":    {X: 1, RecencyT: 2, AgeT: 1, Count: 1},
		"no time":                    {X: 1, RecencyT: math.NaN(), AgeT: 1, Count: 1},
		"fewer than nobody has this": {X: 1, RecencyT: 1, AgeT: 1, Count: -1},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Maximize(t.Context(), MBG, []History{fine, h}); err == nil {
				t.Error("it was fitted to")
			}
		})
	}
	if err := fine.Check(); err != nil {
		t.Error(err)
	}
}
