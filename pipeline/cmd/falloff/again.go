package main

import "strings"

// again is the beginning of a command that a person may type next: with the flags that they have just given to say where
// everything is. What they left to falloff.yaml and the defaults is left to them again.
func (a *app) again(command string) string {
	words := []string{"falloff", command}
	for _, given := range []struct{ flag, value string }{
		{"--config", a.configFile}, {"--config-dir", a.flags.ConfigDir}, {"--key-file", a.flags.KeyFile},
		{"--passphrase-file", a.unlocking.file}, {"--kms-key", a.unlocking.kmsKey},
		{"--lake", a.flags.Lake}, {"--clinic", a.flags.Clinic}, {"--profile", a.profilePath},
	} {
		if given.value != "" {
			words = append(words, given.flag, shellWord(given.value))
		}
	}
	return strings.Join(words, " ")
}

// shellWord is a word as a shell takes it for one.
func shellWord(word string) string {
	plain := !strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./:@%+=,", r)
	})
	if plain {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
