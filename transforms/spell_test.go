package transforms_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// spell prints rows with what their pointers point to.
func spell(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Sprintf("%+v", v)
	}
	return string(b)
}

// shuffle changes the order of the rows under the header, and of the columns.
func shuffle(rows [][]string, seed uint64) [][]string {
	random := rand.New(rand.NewPCG(seed, 7))
	columns := random.Perm(len(rows[0]))
	out := make([][]string, len(rows))
	order := append([]int{0}, random.Perm(len(rows)-1)...)
	for i := range out {
		from := order[i]
		if i > 0 {
			from++
		}
		out[i] = make([]string, len(columns))
		for j, c := range columns {
			out[i][j] = rows[from][c]
		}
	}
	return out
}
