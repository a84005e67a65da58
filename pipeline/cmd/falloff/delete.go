package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/deletion"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// entityClinic is what the audit log calls a clinic as a whole.
const entityClinic = "clinic"

// deleteFlags are those of delete.
type deleteFlags struct {
	backups        []string
	confirm        string
	noBackups      bool
	scheduleKMSKey string
	patient        string
	guid           bool
}

func (a *app) deleteCommand() *cobra.Command {
	var f deleteFlags
	cmd := &cobra.Command{
		Use:   "delete --lake DIR --clinic NAME [--backup STORE]... [--patient REF | --guid]",
		Short: "delete a clinic for good, with a signed certificate; or one patient of it",
		Example: `  falloff delete --lake lake --clinic harbour-street --backup s3://clinic-backups/falloff
  falloff delete --lake lake --clinic harbour-street --patient p1_kq3… --backup s3://clinic-backups/falloff
  falloff delete verify certificate.json`,
		Args: cobra.NoArgs,
		Long: `Deletes everything of a clinic: from the lake with every version of every object, from the backups that --backup and falloff.yaml
name, what this machine keeps of it, and last its keys and portal credentials in the vault. What was encrypted under those keys, copies
of it included, can then be opened by nobody, unless somebody has a copy of the vault from before.

It asks for the clinic's name to be typed, and refuses while a run or a backup is at work. From its first step on nothing can be
written to the clinic; cut short at any point, the same command goes on.

With --patient one patient goes instead, named by a pseudonym; or with --guid, which reads the portal's own id of the patient from
standard input. The patient is taken out of every dataset and mart of every snapshot, of identities, of what an unfinished run has read,
of every version that a bucket keeps, and of every backup that is named; then everything is read again and searched. Later runs and
imports leave the patient out (falloff status counts "erased"). Figures of closed months stay. It asks for the pseudonym to be typed
(with --guid: for --confirm with the clinic's name), and cut short it goes on when run again in the same way.

Of a clinic: at the end stands a certificate that says what was deleted and how that was
verified, signed with this installation's key; it stays in the lake, with the agreement and the audit log. The clinic's id is not used
again in this lake.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.patient != "" || f.guid {
				return a.erasePatient(cmd.Context(), f)
			}
			return a.deleteClinic(cmd.Context(), f)
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.backups, "backup", nil, "a `store` with backups of the clinic; may be said several times")
	flags.BoolVar(&f.noBackups, "no-backups", false, "say that there are no backups anywhere")
	flags.StringVar(&f.confirm, "confirm", "", "the clinic's `name`, instead of typing it; with --patient the pseudonym")
	flags.StringVar(&f.patient, "patient", "", "erase one patient only: a `pseudonym`")
	flags.BoolVar(&f.guid, "guid", false, "erase one patient only, whose id in the portal is read from standard input")
	flags.StringVar(&f.scheduleKMSKey, "schedule-kms-key", "", "`ARN` of the KMS key that encrypts this clinic's bucket and nothing else: schedule its deletion too")
	cmd.AddCommand(a.deleteVerifyCommand())
	return cmd
}

func (a *app) deleteClinic(ctx context.Context, f deleteFlags) error {
	k, err := a.kept(ctx)
	if err != nil {
		return err
	}
	id := lake.ClinicID(k.options.Clinic)
	named, pending, err := deletion.Pending(ctx, k.store, id)
	if err != nil {
		return &pipeline.StorageError{Doing: "looking for a deletion that was begun", Err: err}
	}
	if !pending {
		named = slices.Concat(f.backups, a.file.Backups)
	}
	if len(named) == 0 && !f.noBackups && !pending {
		return usagef("no backups: name the stores that have any with --backup, or say --no-backups. What is not named is not deleted")
	}
	d := pipeline.DeleteOptions{By: k.actor.Person}
	if d.Backups, err = openPlaces(ctx, "--backup", named); err != nil {
		return err
	}
	switch {
	case f.confirm != "" && f.confirm != k.options.Clinic:
		return usagef("nothing was done: --confirm does not name the clinic %s", k.options.Clinic)
	case f.confirm == "":
		what := fmt.Sprintf("Everything of clinic %s in %s is deleted for good, %d stores of backups and its keys included: an export can then be read, and imported only with the keys that falloff export --keys kept", k.options.Clinic, k.store, len(named))
		if err := a.confirm(what, k.options.Clinic); err != nil {
			return err
		}
	}
	d.Record = func(ctx context.Context, deletionID string, ended *deletion.Certificate, sha256 string) error {
		if ended == nil {
			return k.record(ctx, audit.DeletionStarted, entityClinic, nil, audit.Fields{"id": deletionID, "stores": 1 + len(named)})
		}
		objects, versions := 0, 0
		for _, s := range ended.Stores {
			objects, versions = objects+s.Objects, versions+s.EarlierVersions
		}
		return k.record(ctx, audit.DeletionEnded, entityClinic, nil, audit.Fields{
			"id": deletionID, "objects": objects, "versions": versions, "keys_destroyed": ended.KeysDestroyed, "certificate_sha256": sha256,
		})
	}
	if f.scheduleKMSKey != "" {
		d.KMS = scheduleKMSKey(f.scheduleKMSKey)
	}
	var stop func()
	d.Progress, stop = a.progress()
	certificate, err := pipeline.Delete(ctx, k.options, k.store, d)
	stop()
	if err != nil {
		return err
	}
	a.tellf("The certificate lies in %s as %s, and as text beside it. Keep a copy apart from the lake.", k.store, deletion.CertificateName(id, certificate.ID))
	return a.printCertificate(certificate)
}

func (a *app) printCertificate(c *deletion.Signed) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(struct {
			deletion.Certificate
			Fingerprint string `json:"key_fingerprint"`
		}{c.Certificate, deletion.Fingerprint(c.PublicKey)})
	}
	_, err := fmt.Fprint(a.stdout, c.Text())
	return err
}

// kmsWindow is how many days AWS KMS keeps a key after it was told to delete it: as few as it allows.
const kmsWindow = 7

// scheduleKMSKey has AWS KMS delete a key. One that is scheduled already keeps its date.
func scheduleKMSKey(key string) deletion.KMS {
	return func(ctx context.Context) (string, time.Time, error) {
		var options []func(*awsconfig.LoadOptions) error
		if name, err := arn.Parse(key); err == nil {
			options = append(options, awsconfig.WithRegion(name.Region))
		}
		settings, err := awsconfig.LoadDefaultConfig(ctx, options...)
		if err != nil {
			return key, time.Time{}, err
		}
		client := kms.NewFromConfig(settings)
		if known, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key}); err == nil && known.KeyMetadata != nil && known.KeyMetadata.DeletionDate != nil {
			return key, *known.KeyMetadata.DeletionDate, nil
		}
		out, err := client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &key, PendingWindowInDays: aws.Int32(kmsWindow)})
		if err != nil {
			return key, time.Time{}, err
		}
		return key, aws.ToTime(out.DeletionDate), nil
	}
}

func (a *app) deleteVerifyCommand() *cobra.Command {
	var key, at string
	cmd := &cobra.Command{
		Use:     "verify CERTIFICATE [--public-key FILE|FINGERPRINT] [--lake DIR]",
		Short:   "check a certificate of deletion",
		Example: `  falloff delete verify certificate.json --public-key signing-key.json`,
		Args:    cobra.ExactArgs(1),
		Long: `Checks that a certificate is as it was signed, by the key that is named: the file deletions/signing-key-….json of the lake, or its
fingerprint, as somebody noted it before. Without --public-key it is checked against the key that came with it, which proves only that
nothing was changed since. With --lake it looks whether anything of the clinic has come back.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			body, err := os.ReadFile(args[0])
			if err != nil {
				return usagef("reading the certificate: %v", err)
			}
			against := key
			if exists(key) {
				text, err := os.ReadFile(key)
				if err != nil {
					return usagef("reading the public key: %v", err)
				}
				against = strings.TrimSpace(string(text))
			}
			var store lake.Store
			if at != "" {
				if store, err = openPlace(ctx, "--lake", at); err != nil {
					return err
				}
			}
			signed, err := pipeline.VerifyCertificate(ctx, body, against, store)
			if err != nil {
				return err
			}
			if against == "" {
				a.tellf("Nobody said whose key it must be: compare the fingerprint with the one that the installation has published.")
			}
			return a.printCertificate(signed)
		},
	}
	cmd.Flags().StringVar(&key, "public-key", "", "`file` with the public key that must have signed, or its fingerprint")
	cmd.Flags().StringVar(&at, "lake", "", "the lake it was deleted from: a `folder`, or s3://bucket/prefix")
	return cmd
}
