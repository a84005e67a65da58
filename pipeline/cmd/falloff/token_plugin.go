package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
)

// pluginKeyFile has the keys that Grafana's plugin and the server share.
const pluginKeyFile = "plugin.key"

func (a *app) pluginKeyCommand() *cobra.Command {
	var fresh bool
	cmd := &cobra.Command{
		Use:   "plugin-key --lake DIR [--new]",
		Short: "print the key that Grafana's data source signs with",
		Args:  cobra.NoArgs,
		Long: `Prints the key, made where there is none, to be pasted into the settings of the falloff data source in Grafana. Whoever has it can
speak for anybody at the query server. --new makes another; the one before counts beside it until the next is made, so that
Grafana can be given the new one without a pause.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, path, err := a.pluginKey(cmd.Context(), fresh)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(map[string]string{"id": key.ID(), "key": key.Text(), "file": path})
			}
			_, err = fmt.Fprintln(a.stdout, key.Text())
			return err
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().BoolVar(&fresh, "new", false, "make another key")
	return cmd
}

// pluginKey is the newest key that the plugin signs with, made where there is none or a fresh one is wanted, and the file that it lies in.
func (a *app) pluginKey(ctx context.Context, fresh bool) (key plugintoken.Key, path string, err error) {
	k, err := a.keptLake(ctx)
	if err != nil {
		return key, "", err
	}
	folder, err := a.configFolder()
	if err != nil {
		return key, "", err
	}
	path = filepath.Join(folder, pluginKeyFile)
	keys, err := plugintoken.ReadKeys(path)
	if err != nil {
		return key, "", &pipeline.KeyError{Err: err}
	}
	action := audit.PluginKeyShown
	if len(keys) > 0 {
		key = keys[0]
	}
	if fresh || len(keys) == 0 {
		action = audit.PluginKeyMade
		if key, err = plugintoken.NewKey(rand.Reader); err != nil {
			return key, "", err
		}
	}
	if err := k.record(ctx, action, "plugin_key", nil, audit.Fields{"id": key.ID()}); err != nil {
		return key, "", err
	}
	if action == audit.PluginKeyMade {
		if err := plugintoken.AddKey(path, key); err != nil {
			return key, "", &pipeline.KeyError{Err: err}
		}
	}
	return key, path, nil
}
