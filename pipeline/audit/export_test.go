package audit

import (
	"maps"
	"slices"
)

// Allowed gives the fields of every action.
func Allowed() map[Action][]string {
	out := map[Action][]string{}
	for action, fields := range allowed {
		out[action] = slices.Sorted(maps.Keys(fields))
	}
	return out
}
