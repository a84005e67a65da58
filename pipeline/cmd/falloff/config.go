package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/falloff-analytics/falloff/pipeline/notify"
)

// config is falloff.yaml: what one does not want to repeat as a flag. Flags win over it. It holds no secret.
type config struct {
	Lake   string `yaml:"lake"`
	Clinic string `yaml:"clinic"`
	// Unencrypted lets a clinic whose lake is a folder lie in it unencrypted.
	Unencrypted bool   `yaml:"unencrypted"`
	ConfigDir   string `yaml:"config_dir"`
	KeyFile     string `yaml:"key_file"`
	// PassphraseFile and KMSKey name what opens the vault; they are not it.
	PassphraseFile string `yaml:"passphrase_file"`
	KMSKey         string `yaml:"kms_key"`
	PortalURL      string `yaml:"portal_url"`
	Username       string `yaml:"username"`
	Listen         string `yaml:"listen"`
	// Region is where this machine is, for stores that cannot be asked.
	Region string `yaml:"region"`
	// S3Encryption is demand, warn or off; S3KMSKey the clinic's key.
	S3Encryption string `yaml:"s3_encryption"`
	S3KMSKey     string `yaml:"s3_kms_key"`
	// CacheDir and CacheSize are where what is read of a distant lake is kept, and how much of it.
	CacheDir  string `yaml:"cache_dir"`
	CacheSize string `yaml:"cache_size"`
	// Backups are the stores that falloff backup copies to, and that falloff delete clears too.
	Backups []string `yaml:"backups"`
	// Politeness is how runs spare the portal.
	Politeness politeness `yaml:"politeness"`
	// Worker is how this machine takes part in the work of many.
	Worker workerSettings `yaml:"worker"`
	// Notify is who is told of what.
	Notify notify.Settings `yaml:"notify"`
	// Schedule is when falloff schedule does what.
	Schedule scheduling `yaml:"schedule"`
}

// loadConfig reads path, or where path is empty ./falloff.yaml and then the user's configuration folder; none at all is
// fine. Paths in the file are relative to it.
func loadConfig(path string) (config, error) {
	var c config
	places := []string{path}
	if path == "" {
		places = []string{"falloff.yaml"}
		if dir, err := os.UserConfigDir(); err == nil {
			places = append(places, filepath.Join(dir, "falloff", "falloff.yaml"))
		}
	}
	for _, place := range places {
		text, err := os.ReadFile(place)
		if errors.Is(err, fs.ErrNotExist) && path == "" {
			continue
		}
		if err != nil {
			return c, usagef("reading settings: %v. Name an existing file with --config", err)
		}
		if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
			// Without the source: somebody may have written a secret where none belongs.
			return c, usagef("reading settings %s: %s. docs/running.md lists what it may hold", place, yaml.FormatError(err, false, false))
		}
		base := filepath.Dir(place)
		for _, p := range append(c.Notify.Files(), &c.ConfigDir, &c.KeyFile, &c.PassphraseFile, &c.CacheDir, &c.Worker.DatabaseURLFile) {
			*p = relativeTo(base, *p)
		}
		if !isURL(c.Lake) {
			c.Lake = relativeTo(base, c.Lake)
		}
		for i, at := range c.Backups {
			if !isURL(at) {
				c.Backups[i] = relativeTo(base, at)
			}
		}
		if !slices.Contains([]string{"", "demand", "warn", "off"}, c.S3Encryption) {
			return c, usagef("reading settings %s: s3_encryption is demand, warn or off", place)
		}
		if _, err := c.Politeness.parse(); err != nil {
			return c, usagef("reading settings %s: politeness: %v", place, err)
		}
		if _, err := c.Worker.parse(); err != nil {
			return c, usagef("reading settings %s: worker: %v", place, err)
		}
		if err := c.Notify.Check(); err != nil {
			return c, usagef("reading settings %s: notify: %v", place, err)
		}
		if _, err := c.Schedule.parse(len(c.Backups) > 0); err != nil {
			return c, usagef("reading settings %s: schedule: %v", place, err)
		}
		return c, nil
	}
	return c, nil
}

func relativeTo(base, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}

// isURL says that a lake is no folder's path.
func isURL(lake string) bool {
	return strings.HasPrefix(lake, "s3://") || strings.HasPrefix(lake, "file://")
}

// need gives the first value that is set, or an error that says how to set it.
func need(name, example string, values ...string) (string, error) {
	for _, v := range values {
		if v != "" {
			return v, nil
		}
	}
	key := strings.ReplaceAll(name, "-", "_")
	return "", usagef("no %s: say it with --%s, for example --%s %s, or write `%s: %s` into falloff.yaml", name, name, name, example, key, example)
}

// firstOf is the first string that is not empty.
func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
