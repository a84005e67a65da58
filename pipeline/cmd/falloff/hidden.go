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
	text, err := awaitTyped(ctx, func() ([]byte, error) { return term.ReadPassword(terminal) })
	if ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), term.Restore(terminal, before))
	}
	return text, err
}

// awaitTyped gives what somebody types, or ends with the context before a key is pressed.
func awaitTyped[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type line struct {
		text T
		err  error
	}
	typed := make(chan line, 1)
	go func() { // ends with the process at the latest: nothing can interrupt a read from a terminal
		text, err := read()
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return l.text, l.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
