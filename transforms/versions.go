package transforms

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
)

// newest keeps one version of every key: of versions that differ the one that ranks highest, and of equal rank the one
// whose content sorts last, so that the file's order does not matter. It counts what it leaves out.
func newest[T any](r *reading, rows []T, key, rank func(a, b T) int, content func(T) any) []T {
	byContent := func(a, b T) int { return compareContent(content(a), content(b)) }
	slices.SortFunc(rows, func(a, b T) int {
		if c := cmp.Or(key(a, b), rank(a, b)); c != 0 {
			return c
		}
		return byContent(a, b)
	})
	kept := rows[:0]
	for i, row := range rows {
		if i > 0 && key(kept[len(kept)-1], row) == 0 {
			last := &kept[len(kept)-1]
			if byContent(*last, row) == 0 {
				r.batch.Remarks[RepeatedRow]++
			} else {
				r.batch.Remarks[ConflictingRow]++
			}
			*last = row
			continue
		}
		kept = append(kept, row)
	}
	return kept
}

// compareContent orders rows by all that they hold. It is slow and only asked about rows that share a key.
func compareContent(a, b any) int {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	if errX != nil || errY != nil { // contract rows are plain values, which always encode
		return 0
	}
	return bytes.Compare(x, y)
}

// arrange puts rows in the order in which places, a permutation of their indices that is used up, names them.
func arrange[T any](rows []T, places []int32) {
	for start := range places {
		if places[start] == int32(start) {
			continue
		}
		first := rows[start]
		at := int32(start)
		for {
			from := places[at]
			places[at] = at
			if from == int32(start) {
				rows[at] = first
				break
			}
			rows[at] = rows[from]
			at = from
		}
	}
}
