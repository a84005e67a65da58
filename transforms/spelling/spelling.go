// Package spelling finds the name that was probably meant by one that nobody knows.
package spelling

import "strings"

// Nearest is the known name that is fewer than three letters away from name, whatever its case; the first of several, and empty
// if there is none.
func Nearest(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if e := edits(strings.ToLower(name), strings.ToLower(k)); e < distance {
			best, distance = k, e
		}
	}
	return best
}

// edits is the Levenshtein distance of two short words.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
