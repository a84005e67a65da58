package models

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/warehouse/bgnbd"
)

// TestScoresWhereParametersRunAway compares the macro with what the model becomes where rates or chances have no spread: there a fit's
// parameters are as large as a float can say apart.
func TestScoresWhereParametersRunAway(t *testing.T) {
	const horizon = 90.0 / 7
	s := openMacros(t)
	given(t, s, "histories", "(series varchar, entity integer, x integer, t_x double, t double)")
	given(t, s, "parameters", "(series varchar, model varchar, r double, alpha double, a double, b double)")
	type history struct {
		x      int
		tx, at float64
	}
	histories := []history{{0, 0, 0}, {0, 0, 104}, {1, 104, 104}, {12, 3, 3}, {12, 3, 60}, {3000, 520, 520}, {3000, 500, 520}}
	const far = 1e15
	// With p the chance to drop out and rate the visits a week of everybody.
	const p, rate = 0.125, 0.75
	cases := map[string]struct {
		parameters bgnbd.Parameters
		alive      func(h history) float64 // log odds
		expected   func(h history) float64
	}{
		"one chance": {
			bgnbd.Parameters{R: 1.5, Alpha: 2, A: far * p, B: far * (1 - p)},
			func(h history) float64 {
				return math.Log((1-p)/p) - (1.5+float64(h.x))*math.Log((2+h.at)/(2+h.tx))
			},
			func(h history) float64 { return -math.Expm1(-(1.5+float64(h.x))*math.Log1p(p*horizon/(2+h.at))) / p },
		},
		"one rate and one chance": {
			bgnbd.Parameters{R: far * rate, Alpha: far, A: far * p, B: far * (1 - p)},
			func(h history) float64 { return math.Log((1-p)/p) - rate*(h.at-h.tx) },
			func(history) float64 { return -math.Expm1(-p*rate*horizon) / p },
		},
		"nobody drops out": {
			bgnbd.Parameters{R: 1.5, Alpha: 2, A: 1 / far, B: 1},
			func(h history) float64 {
				return math.Log((1+float64(h.x))*far) - (1.5+float64(h.x))*math.Log((2+h.at)/(2+h.tx))
			},
			func(h history) float64 { return (1.5 + float64(h.x)) * horizon / (2 + h.at) },
		},
	}
	for name, c := range cases {
		q := c.parameters
		if err := s.exec(t.Context(), fmt.Sprintf("insert into parameters values ('%s', 'mbgnbd', %g, %g, %g, %g)", name, q.R, q.Alpha, q.A, q.B)); err != nil {
			t.Fatal(err)
		}
		for i, h := range histories {
			if err := s.exec(t.Context(), fmt.Sprintf("insert into histories values ('%s', %d, %d, %g, %g)", name, i, h.x, h.tx, h.at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	rows, err := s.conn.QueryContext(t.Context(), "select series, entity, p_alive, expected_if_alive, seen_if_alive, expected from alive('histories', 'parameters', 90 / 7::double)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := 0
	for rows.Next() {
		var name string
		var entity int
		var alive, expected, seen, both float64
		if err := rows.Scan(&name, &entity, &alive, &expected, &seen, &both); err != nil {
			t.Fatal(err)
		}
		found++
		h, c := histories[entity], cases[name]
		odds := c.alive(h)
		wantAlive := 1 / (1 + math.Exp(-odds))
		wantSeen := -math.Expm1(-(c.parameters.R + float64(h.x)) * math.Log1p(horizon/(c.parameters.Alpha+h.at)))
		// The limit itself is 1/far away.
		for what, pair := range map[string][2]float64{
			"p_alive": {alive, wantAlive}, "expected_if_alive": {expected, c.expected(h)}, "seen_if_alive": {seen, wantSeen}, "expected": {both, alive * expected},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-9*pair[1] {
				t.Errorf("%s, %+v: %s is %v, want %v", name, h, what, pair[0], pair[1])
			}
		}
	}
	if err := rows.Err(); err != nil || found != len(cases)*len(histories) {
		t.Fatalf("%d scores (%v)", found, err)
	}
}

// fitOf runs the fit over histories, which are rows of the select's columns.
func fitOf(t *testing.T, threads int, rows []string) map[string]map[string]any {
	t.Helper()
	s := openMacros(t)
	given(t, s, "given", "(purpose varchar, discipline varchar, model varchar, x bigint, t_x double, t double, episodes bigint)", rows...)
	selected, err := s.conn.QueryContext(t.Context(), "select * from given order by all")
	if err != nil {
		t.Fatal(err)
	}
	defer selected.Close()
	table, err := fitOutlook(t.Context(), selected, threads)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for _, row := range table {
		named := map[string]any{}
		for i, c := range outlookFitter().columns {
			named[c.Name] = row[i]
		}
		out[fmt.Sprint(named["purpose"], " ", named["discipline"])] = named
	}
	return out
}

// someHistories are of patients who come and drop out, one row each.
func someHistories(purpose, discipline, model string, patients int, seed uint64) []string {
	random := rand.New(rand.NewPCG(seed, 5))
	var rows []string
	for range patients {
		pace, drop, at, last, x := 0.2+2*random.Float64(), 0.05+0.3*random.Float64(), 0.0, 0.0, 0
		age := float64(random.IntN(700)+1) / 7
		for random.Float64() > drop {
			if at += random.ExpFloat64() / pace; at > age {
				break
			}
			last = math.Round(at*7) / 7
			x++
		}
		rows = append(rows, fmt.Sprintf("('%s', '%s', '%s', %d, %v, %v, 1)", purpose, discipline, model, x, min(last, age), age))
	}
	return rows
}

func TestFitFallsBackAndSaysSo(t *testing.T) {
	all := slices.Concat(
		someHistories("now", "Physio", "mbgnbd", 400, 1),
		someHistories("now", "Massage", "mbgnbd", leastEpisodes-1, 2),
		someHistories("now", "Yoga", "mbgnbd", leastEpisodes, 3),
		[]string{"('now', 'Once', 'mbgnbd', 0, 0, 30, 80)", "('now', 'Unknown', 'mbgnbd', 3, 4, 30, 0)"},
		someHistories("holdout", "Physio", "mbgnbd", leastEpisodes-10, 4),
		[]string{"('holdout', 'Massage', 'mbgnbd', 1, 2, 9, 9)"},
	)
	fits := fitOf(t, 2, all)
	for name, want := range map[string]struct {
		fittedTo, fallback string
		episodes           int64
	}{
		"now Physio":      {"discipline", "", 400},
		"now Massage":     {"all", "49 episodes whose beginning is known, and a fit needs 50; so the parameters are those of all", 49},
		"now Yoga":        {"discipline", "", 50},
		"now Once":        {"all", "no entity has a second visit day", 80},
		"now Unknown":     {"all", "0 episodes whose beginning is known", 0},
		"holdout Physio":  {"none", "of all disciplines together: 49 episodes whose beginning is known, and a fit needs 50; so there are no parameters", 40},
		"holdout Massage": {"none", "9 episodes", 9},
	} {
		fit := fits[name]
		said, _ := fit["fallback"].(string)
		if fit["fitted_to"] != want.fittedTo || fit["episodes"] != want.episodes || !strings.Contains(said, want.fallback) || (said == "") != (want.fallback == "") {
			t.Errorf("%s: %v", name, fit)
		}
		if has := fit["r"] != nil; has != (want.fittedTo != "none") || fit["converged"] != has {
			t.Errorf("%s has parameters %v and converged %v", name, fit["r"], fit["converged"])
		}
	}
	if len(fits) != 7 {
		t.Errorf("%d rows", len(fits))
	}
	// The pooled ones are those of one discipline that has everybody, a row of whom may stand for several.
	var pooled []string
	for _, row := range all {
		if strings.HasPrefix(row, "('now'") {
			for _, name := range []string{"Massage", "Yoga", "Once", "Unknown"} {
				row = strings.Replace(row, "'"+name+"'", "'Physio'", 1)
			}
			pooled = append(pooled, row)
		}
	}
	together := fitOf(t, 1, pooled)["now Physio"]
	for _, name := range []string{"r", "alpha", "a", "b", "log_likelihood"} {
		if got, want := fits["now Massage"][name].(float64), together[name].(float64); math.Abs(got-want) > 1e-6*math.Abs(want) {
			t.Errorf("pooled %s is %v, want %v", name, got, want)
		}
	}
	// In another order, on another number of processors, to the last bit.
	rand.New(rand.NewPCG(3, 3)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if again := fitOf(t, 7, all); fmt.Sprint(again) != fmt.Sprint(fits) {
		t.Errorf("in another order the fits are\n%v, not\n%v", again, fits)
	}
	plain := fitOf(t, 1, someHistories("now", "Physio", "bgnbd", 400, 1))["now Physio"]
	if plain["model"] != "bgnbd" || plain["r"] == fits["now Physio"]["r"] || plain["converged"] != true {
		t.Errorf("plain BG/NBD: %v", plain)
	}
}

// TestRankingsCountPairs counts the pairs one by one.
func TestRankingsCountPairs(t *testing.T) {
	project, err := Load(t.Context(), sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	in := newRandomClinic(t, 11, 250).inputs(t, 1, nil)
	s, err := open(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.prepare(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	wanted, err := project.Needed("intermediate.holdout_rankings")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.run(t.Context(), project, wanted, true); err != nil {
		t.Fatal(err)
	}
	type patient struct {
		scores map[string]float64
		seen   bool
	}
	patients := map[string][]patient{}
	rows, err := s.conn.QueryContext(t.Context(), "select discipline, p_alive, days_over_gap, was_seen from intermediate.holdout_outlook where not has_booking")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var discipline string
		var alive, over float64
		p := patient{scores: map[string]float64{}}
		if err := rows.Scan(&discipline, &alive, &over, &p.seen); err != nil {
			t.Fatal(err)
		}
		p.scores["p_alive"], p.scores["days_over_gap"] = alive, -over
		patients[discipline] = append(patients[discipline], p)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	ties := 0
	for discipline, all := range patients {
		for _, rule := range []string{"p_alive", "days_over_gap"} {
			pairs, right := 0.0, 0.0
			for _, came := range all {
				for _, stayed := range all {
					if !came.seen || stayed.seen {
						continue
					}
					pairs++
					switch a, b := came.scores[rule], stayed.scores[rule]; {
					case a > b:
						right++
					case a == b:
						right += 0.5
						ties++
					}
				}
			}
			var got float64
			if err := s.conn.QueryRowContext(t.Context(), "select concordance from intermediate.holdout_rankings where discipline = ? and rule = ?",
				discipline, rule).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if math.Abs(got-right/pairs) > 1e-12 {
				t.Errorf("%s by %s: %v, want %v of %v pairs", discipline, rule, got, right, pairs)
			}
		}
	}
	if len(patients) != 3 || ties == 0 {
		t.Errorf("%d disciplines and %d ties prove little", len(patients), ties)
	}
}

func TestFittedRows(t *testing.T) {
	rows, err := FittedRows("fitted.outlook", []string{"discipline", "r", "converged"}, [][]string{{"Physio", " 1.5 ", "-"}})
	if err != nil || len(rows) != 1 || fmt.Sprint(rows[0]) != "[<nil> Physio <nil> <nil> <nil> <nil> 1.5 <nil> <nil> <nil> <nil> <nil> <nil> <nil>]" {
		t.Errorf("%v (%v)", rows, err)
	}
	for table, column := range map[string]string{"fitted.nothing": "r", "fitted.outlook": "nothing"} {
		if _, err := FittedRows(table, []string{column}, nil); err == nil && table == "fitted.nothing" {
			t.Errorf("%s was found", table)
		}
		if _, err := FittedRows(table, []string{column}, [][]string{{"1"}}); err == nil || !strings.Contains(err.Error(), "nothing") {
			t.Errorf("%s.%s: %v", table, column, err)
		}
	}
	_, err = Load(t.Context(), tree(map[string]string{"fitted/nothing.sql": "select 1 as x"}))
	checkError(t, err, []string{"fitted/nothing.sql", "nothing in package models"})
}
