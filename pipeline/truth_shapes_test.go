package pipeline_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
)

// unlikeClinics are twenty clinics of unlike shape: small and large, young and old, alone and in many places, on both sides of the
// equator and of a daylight-saving night, with and without tax and fees.
func unlikeClinics() map[string]simclinic.Dials {
	day := func(year int, month time.Month, day int) civil.Date {
		return civil.Date{Year: year, Month: month, Day: day}
	}
	return map[string]simclinic.Dials{
		"one practitioner":             {Patients: 120, From: day(2024, 1, 1), To: day(2025, 12, 31), Practitioners: 1, Disciplines: 1, Locations: 1, Country: "CA", FeePolicy: simclinic.FeesFlat},
		"one discipline, eight places": {Patients: 500, From: day(2024, 6, 1), To: day(2025, 11, 30), Disciplines: 1, Locations: 8, Country: "CA"},
		"every discipline":             {Patients: 700, From: day(2024, 1, 1), To: day(2025, 6, 30), Disciplines: 6, Locations: 3, Country: "CA"},
		"half a year old":              {Patients: 400, From: day(2025, 3, 3), To: day(2025, 9, 1), Disciplines: 3, Locations: 2, Country: "US"},
		"five years old":               {Patients: 500, From: day(2019, 1, 1), To: day(2023, 12, 31), Disciplines: 2, Locations: 1, Country: "CA"},
		"a leap day as report date":    {Patients: 300, From: day(2022, 2, 1), To: day(2024, 2, 29), Disciplines: 2, Locations: 2, Country: "GB"},
		"the day clocks go forward":    {Patients: 300, From: day(2024, 1, 1), To: day(2025, 3, 30), Disciplines: 3, Locations: 1, Country: "GB"},
		"the day clocks go back":       {Patients: 300, From: day(2024, 1, 1), To: day(2025, 11, 2), Disciplines: 3, Locations: 1, Country: "US"},
		"south of the equator":         {Patients: 400, From: day(2023, 7, 1), To: day(2025, 4, 6), Disciplines: 4, Locations: 2, Country: "AU"},
		"half an hour off":             {Patients: 300, From: day(2024, 1, 1), To: day(2025, 10, 5), Disciplines: 2, Locations: 1, Country: "AU", Zone: "Australia/Adelaide"},
		"Newfoundland":                 {Patients: 300, From: day(2024, 1, 1), To: day(2025, 8, 31), Disciplines: 2, Locations: 1, Country: "CA", Zone: "America/St_Johns"},
		"far west":                     {Patients: 300, From: day(2024, 1, 1), To: day(2025, 8, 31), Disciplines: 2, Locations: 1, Country: "US", Zone: "Pacific/Honolulu"},
		"no fees":                      {Patients: 400, From: day(2024, 1, 1), To: day(2025, 12, 31), Disciplines: 3, Locations: 2, Country: "CA", FeePolicy: simclinic.FeesNone},
		"flat fees":                    {Patients: 400, From: day(2024, 1, 1), To: day(2025, 12, 31), Disciplines: 3, Locations: 2, Country: "US", FeePolicy: simclinic.FeesFlat},
		"an odd tax":                   {Patients: 350, From: day(2024, 4, 1), To: day(2025, 12, 31), Disciplines: 3, Locations: 1, Country: "CA", Tax: simclinic.Tax{Name: "GST QST", Rate: "0.1498"}},
		"no tax":                       {Patients: 350, From: day(2024, 4, 1), To: day(2025, 12, 31), Disciplines: 3, Locations: 1, Country: "CA", Tax: simclinic.Tax{Name: "None", Rate: "0"}},
		"crowded":                      {Patients: 900, From: day(2025, 1, 1), To: day(2025, 12, 31), Practitioners: 4, Disciplines: 2, Locations: 1, Country: "GB"},
		"idle":                         {Patients: 200, From: day(2024, 1, 1), To: day(2025, 12, 31), Practitioners: 30, Disciplines: 3, Locations: 4, Country: "US"},
		"over the turn of a century":   {Patients: 300, From: day(1998, 9, 1), To: day(2000, 3, 1), Disciplines: 3, Locations: 2, Country: "US"},
		"large":                        {Patients: 1500, From: day(2023, 1, 1), To: day(2025, 12, 31), Disciplines: 5, Locations: 4, Country: "CA"},
	}
}

// TestUnlikeClinicsEqualTheirTruth holds the figures of clinics of unlike shape against their truth: a seeded sample of them, each on the
// report date and on one day before; the long suite all of them on every day.
func TestUnlikeClinicsEqualTheirTruth(t *testing.T) {
	t.Parallel()
	const sample = 2
	clinics := unlikeClinics()
	if len(clinics) != 20 {
		t.Fatalf("there are %d", len(clinics))
	}
	long := os.Getenv("FALLOFF_LONG") != ""
	for i, at := range rand.New(rand.NewPCG(11, 25)).Perm(len(clinics)) {
		if i >= sample && !long {
			break
		}
		name := slices.Sorted(maps.Keys(clinics))[at]
		dials := clinics[name]
		dials.Seed = uint64(100 + at)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkTruth(t, dials, map[bool]string{true: "xlsx", false: "csv"}[at%4 == 0], func(over int) bool { return long || over%5 == i })
		})
	}
}
