package models

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// DefineMacros defines the macros of a tree, which the models share with other analyses, by handing each statement to exec.
func DefineMacros(ctx context.Context, tree fs.FS, exec func(ctx context.Context, statement string) error) error {
	macros, err := readMacros(tree)
	if err != nil {
		return err
	}
	return defineMacros(ctx, macros, exec)
}

func readMacros(tree fs.FS) ([]macro, error) {
	files, err := fs.Glob(tree, "macros/*.sql")
	if err != nil {
		return nil, fmt.Errorf("listing macros: %w", err)
	}
	var macros []macro
	for _, file := range files {
		text, err := fs.ReadFile(tree, file)
		if err != nil {
			return nil, fmt.Errorf("reading macro %s: %w", file, err)
		}
		macros = append(macros, macro{name: strings.TrimSuffix(path.Base(file), ".sql"), file: file, text: string(text)})
	}
	return macros, nil
}

func defineMacros(ctx context.Context, macros []macro, exec func(ctx context.Context, statement string) error) error {
	for _, m := range macros {
		if err := exec(ctx, m.text); err != nil {
			return describe(err, "macro "+m.name, m.file)
		}
	}
	return nil
}
