package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/warehouse/sandbox"
)

// sandboxWorkerCommand is what `falloff serve` starts to compute analysts' SQL in. Nobody else has a use for it.
func (a *app) sandboxWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "sandbox-worker",
		Short:  "compute analysts' SQL for falloff serve",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answers, err := sandbox.Answers()
			if err != nil {
				return usagef("%v", err)
			}
			return sandbox.RunWorker(cmd.Context(), a.stdin, answers, os.Exit)
		},
	}
}
