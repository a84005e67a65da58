package settings

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// jsonFormat is raised when the JSON form changes in a way that older programs would misread.
const jsonFormat = 1

// stored is the JSON form of a Clinic.
type stored struct {
	Format int    `json:"format"`
	Clinic Clinic `json:"clinic"`
}

// JSON is the canonical form: equal settings give equal bytes.
func (c Clinic) JSON() ([]byte, error) {
	c = c.sorted()
	out, err := json.MarshalIndent(stored{jsonFormat, c}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the settings of %s: %w", c.Name, err)
	}
	return append(out, '\n'), nil
}

// FromJSON reads what JSON wrote.
func FromJSON(body []byte) (Clinic, error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return Clinic{}, fmt.Errorf("reading stored settings: %w", err)
	}
	if head.Format != jsonFormat {
		return Clinic{}, fmt.Errorf("reading stored settings: format %d, this program reads %d. Use the newer falloff that wrote them", head.Format, jsonFormat)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var s stored
	if err := decoder.Decode(&s); err != nil {
		return Clinic{}, fmt.Errorf("reading stored settings: %w", err)
	}
	if _, err := s.Clinic.Zone(); err != nil {
		return Clinic{}, fmt.Errorf("reading stored settings: %w", err)
	}
	return s.Clinic.sorted(), nil
}

// sorted gives the clinic with every list in canonical order.
func (c Clinic) sorted() Clinic {
	c.Disciplines = slices.SortedFunc(slices.Values(c.Disciplines), func(a, b Discipline) int { return strings.Compare(a.Name, b.Name) })
	c.Prices = slices.SortedFunc(slices.Values(c.Prices), comparePrices)
	c.Fees = slices.SortedFunc(slices.Values(c.Fees), compareFees)
	c.Insurers = slices.Sorted(slices.Values(c.Insurers))
	c.Retention = sortedRetention(c.Retention)
	c.ChecksOff = slices.Sorted(slices.Values(c.ChecksOff))
	c.FilingLimits = slices.SortedFunc(slices.Values(c.FilingLimits), func(a, b FilingLimit) int { return strings.Compare(a.Insurer, b.Insurer) })
	return c
}

// comparePrices puts prices of one scope side by side, oldest first.
func comparePrices(a, b Price) int {
	return cmp.Or(strings.Compare(a.Item, b.Item), strings.Compare(a.Location, b.Location), compareStart(a.From, b.From))
}

// compareFees puts policies of one scope side by side, oldest first.
func compareFees(a, b Fee) int {
	return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Discipline, b.Discipline),
		strings.Compare(a.Location, b.Location), compareStart(a.From, b.From))
}
