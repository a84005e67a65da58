package main

import (
	"context"
	"errors"

	"golang.org/x/term"
)

// readHidden reads a line from a terminal that does not show it, and stops waiting when the context ends: by Ctrl-C,
// after which the terminal shows again what is typed.
func readHidden(ctx context.Context, terminal int) ([]byte, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return nil, err
	}
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	go func() { // ends with the process at the latest: nothing can interrupt a read from a terminal
		text, err := term.ReadPassword(terminal)
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return l.text, l.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(terminal, before))
	}
}
