package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

// unlocking is what opens the vault, as the flags say it.
type unlocking struct {
	fd     int
	file   string
	kmsKey string
	// passphrase was read once: a file descriptor gives it only once, and nobody wants to be asked twice.
	passphrase secret.Bytes
}

// noFD is the default of flags that name a file descriptor.
const noFD = -1

func (a *app) unlockFlags(flags *pflag.FlagSet) {
	flags.IntVar(&a.unlocking.fd, "passphrase-fd", noFD, "read the vault's passphrase from this open file descriptor, a `number`")
	flags.StringVar(&a.unlocking.file, "passphrase-file", "", "`file` with the vault's passphrase, mode 0600")
	flags.StringVar(&a.unlocking.kmsKey, "kms-key", "", "`ARN` of the AWS KMS key that opens the vault")
	flags.StringVar(&a.actor, "as", "", "your `name` in the audit log (default $FALLOFF_ACTOR, then the name you are logged in with)")
}

// systemdPassphrase is the name of the credential that a systemd unit may load.
const systemdPassphrase = "falloff-passphrase"

// unlock says what opens the vault: the passphrase from a file descriptor, a file, a systemd credential or a terminal, in
// this order, or a KMS key; without any of them this machine's key file.
func (a *app) unlock() (vault.Unlock, error) {
	u := &a.unlocking
	file, key := u.file, u.kmsKey
	if file == "" && u.fd == noFD && key == "" {
		file, key = a.file.PassphraseFile, a.file.KMSKey
	}
	named := 0
	for _, given := range []bool{u.fd != noFD, file != "", key != ""} {
		if given {
			named++
		}
	}
	if named > 1 {
		return vault.Unlock{}, usagef("one thing opens a vault: give one of --passphrase-fd, --passphrase-file and --kms-key")
	}
	once := func(read func(ctx context.Context) (secret.Bytes, error)) func(ctx context.Context) (secret.Bytes, error) {
		return func(ctx context.Context) (secret.Bytes, error) {
			if u.passphrase.IsZero() {
				var err error
				if u.passphrase, err = read(ctx); err != nil {
					return secret.Bytes{}, err
				}
			}
			return secret.Own(u.passphrase.Expose()), nil
		}
	}
	credentials := os.Getenv("CREDENTIALS_DIRECTORY")
	switch {
	case key != "":
		return vault.Unlock{Kind: vault.ByKMS, KMSKey: key}, nil
	case u.fd != noFD:
		return vault.Unlock{Kind: vault.ByPassphrase, Passphrase: once(func(context.Context) (secret.Bytes, error) {
			return secretFD("--passphrase-fd", u.fd)
		})}, nil
	case file != "":
		return vault.Unlock{Kind: vault.ByPassphrase, Passphrase: once(func(context.Context) (secret.Bytes, error) {
			return secretFile("the passphrase", file)
		})}, nil
	case credentials != "" && exists(filepath.Join(credentials, systemdPassphrase)):
		return vault.Unlock{Kind: vault.ByPassphrase, Passphrase: once(func(context.Context) (secret.Bytes, error) {
			return systemdCredential(filepath.Join(credentials, systemdPassphrase))
		})}, nil
	}
	if terminal, ok := a.terminal(); ok {
		return vault.Unlock{Passphrase: once(func(ctx context.Context) (secret.Bytes, error) {
			return a.ask(ctx, terminal, "Passphrase of the vault: ")
		})}, nil
	}
	return vault.Unlock{}, nil
}

func exists(path string) bool {
	_, err := os.Stat(path) //nolint:gosec // a path that the person or systemd names
	return err == nil
}

// terminal is the terminal that commands read from, if they do.
func (a *app) terminal() (int, bool) {
	file, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	return int(file.Fd()), true
}

// ask asks for a secret on the terminal, which does not show it.
func (a *app) ask(ctx context.Context, terminal int, question string) (secret.Bytes, error) {
	_, _ = fmt.Fprint(a.stderr, question)
	text, err := readHidden(ctx, terminal)
	_, _ = fmt.Fprintln(a.stderr)
	if ctx.Err() != nil {
		return secret.Bytes{}, ctx.Err()
	}
	if err != nil {
		return secret.Bytes{}, usagef("reading from the terminal: %v", err)
	}
	return secret.Own(text), nil
}

// maxSecret is more than any password, passphrase or otpauth address has.
const maxSecret = 4096

// secretFile reads a secret from a file that is this user's and that nobody else can read.
func secretFile(what, path string) (secret.Bytes, error) {
	file, err := os.Open(path)
	if err != nil {
		return secret.Bytes{}, usagef("reading %s: %v", what, err)
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return secret.Bytes{}, usagef("reading %s: %v", what, err)
	}
	switch {
	case !st.Mode().IsRegular():
		return secret.Bytes{}, usagef("%s must be in a plain file, and %s is none", what, path)
	case st.Mode().Perm()&0o077 != 0:
		return secret.Bytes{}, usagef("%s can be read by others (mode %04o): run chmod 600 on it", path, st.Mode().Perm())
	case !ours(st):
		return secret.Bytes{}, usagef("%s belongs to another user: whoever owns it could change it. Make one of your own", path)
	}
	return readSecret(what, file)
}

// systemdCredential reads what systemd lays before a unit. Its owner and mode say nothing: the folder is the unit's alone, and an
// access list lets its user in.
func systemdCredential(path string) (secret.Bytes, error) {
	file, err := os.Open(path) //nolint:gosec // the folder is the one that systemd names
	if err != nil {
		return secret.Bytes{}, usagef("reading the systemd credential: %v", err)
	}
	defer file.Close()
	return readSecret("the systemd credential "+systemdPassphrase, file)
}

// secretFD reads a secret from a file descriptor that the caller opened for this program, and closes it.
func secretFD(flag string, fd int) (secret.Bytes, error) {
	if fd < 0 || fd == 1 || fd == 2 {
		return secret.Bytes{}, usagef("%s %d: give the number of a file descriptor that is open for reading, such as %s 3 with 3< FILE", flag, fd, flag)
	}
	file := os.NewFile(uintptr(fd), flag)
	if file == nil {
		return secret.Bytes{}, usagef("%s %d: no such file descriptor is open", flag, fd)
	}
	defer file.Close()
	return readSecret(flag, file)
}

// readSecret reads one line, the last newline of which is not part of the secret.
func readSecret(what string, from io.Reader) (secret.Bytes, error) {
	text := make([]byte, maxSecret+1)
	n, err := io.ReadFull(from, text)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return secret.Bytes{}, usagef("reading %s: %v", what, err)
	}
	defer secret.Wipe(text)
	if n > maxSecret {
		return secret.Bytes{}, usagef("%s is longer than %d bytes", what, maxSecret)
	}
	line := bytes.TrimRight(text[:n], "\r\n")
	switch {
	case len(line) == 0:
		return secret.Bytes{}, usagef("%s is empty", what)
	case bytes.ContainsAny(line, "\r\n"):
		return secret.Bytes{}, usagef("%s has more than one line", what)
	}
	return secret.New(line), nil
}

// secretLines reads lines from standard input; a missing or empty line is the zero secret.
func (a *app) secretLines(count int) ([]secret.Bytes, error) {
	out := make([]secret.Bytes, count)
	lines := bufio.NewScanner(io.LimitReader(a.stdin, int64(count*maxSecret)))
	for i := 0; lines.Scan(); i++ {
		line := bytes.TrimRight(lines.Bytes(), "\r")
		if i >= count {
			if len(bytes.TrimSpace(line)) > 0 {
				return nil, usagef("standard input has more than %d lines", count)
			}
			continue
		}
		out[i] = secret.New(line)
	}
	if err := lines.Err(); err != nil {
		return nil, usagef("reading standard input: %v", err)
	}
	return out, nil
}

// acting is who does what a command does, for the audit log: the person who is named, else the one who is logged in.
func (a *app) acting() (audit.Entry, error) {
	e := audit.Entry{Person: firstOf(a.actor, os.Getenv("FALLOFF_ACTOR"), os.Getenv("SUDO_USER")), Address: "local"}
	if e.Person == "" {
		if u, err := user.Current(); err == nil {
			e.Person = u.Username
		}
	}
	if err := audit.CheckPerson(e.Person); err != nil {
		return e, usagef("%v", err)
	}
	if from, _, _ := strings.Cut(os.Getenv("SSH_CONNECTION"), " "); net.ParseIP(from) != nil {
		e.Address = strings.ToLower(from)
	}
	return e, nil
}

// tellOrigin says, once a lake, where its keys lie and what that protects.
func (a *app) tellOrigin(site *pipeline.Site) {
	paths := site.Vault.Paths()
	kind, err := site.Vault.Kind()
	if err != nil {
		return
	}
	keep := paths.Vault
	sealedBy := kind.String()
	if kind == vault.ByKeyFile {
		keep += " and " + paths.KeyFile
		sealedBy = "this machine's key " + paths.KeyFile
	}
	switch site.Origin {
	case pipeline.KeysMade:
		a.tellf("Keys were made for clinic %s. They lie in the vault %s, sealed by %s:\n"+
			"whoever gets the lake alone learns no identity from it; whoever is you, or root, on this machine can.\n"+
			"Keep a copy of %s apart from the lake: without it new data cannot join the old.", site.Clinic.ID(), paths.Vault, sealedBy, keep)
	case pipeline.KeysMoved:
		a.tellf("The key of clinic %s was moved out of the lake into the vault %s, sealed by %s.\n"+
			"Keep a copy of %s apart from the lake: without it new data cannot join the old.", site.Clinic.ID(), paths.Vault, sealedBy, keep)
	case pipeline.KeysFinished:
		a.tellf("A rekey of clinic %s that had been interrupted is finished now.", site.Clinic.ID())
	case pipeline.KeysKnown:
	}
}
