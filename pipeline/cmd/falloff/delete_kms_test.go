package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/deletion"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// kmsStandIn stands in for AWS KMS: it speaks the two calls of its JSON protocol that a deletion makes, written after AWS's
// documentation. The deletion of a key was never tried against AWS itself.
type kmsStandIn struct {
	key  string
	goes time.Time

	mu sync.Mutex
	// fails is the name of AWS's error that scheduling ends with, empty for none; lost says that it is done all the same.
	fails     string
	lost      bool
	scheduled bool
	calls     []string
}

func newKMSStandIn(t *testing.T) *kmsStandIn {
	t.Helper()
	s := &kmsStandIn{
		key: "arn:aws:kms:ca-central-1:111122223333:key/0d2f6c1e-6a0a-4a4e-9a53-6f1f5e0c7a11", goes: time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC),
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_KMS": server.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret",
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"),
		"AWS_REGION": "us-west-2", "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	return s
}

func (s *kmsStandIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := func(status int, body map[string]any) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	var in struct {
		KeyID string `json:"KeyId"`               //nolint:tagliatelle // AWS's name
		Days  int    `json:"PendingWindowInDays"` //nolint:tagliatelle // AWS's name
	}
	_, call, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	s.calls = append(s.calls, call)
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case err != nil:
		answer(http.StatusBadRequest, map[string]any{"__type": "SerializationException"})
	case !strings.Contains(r.Header.Get("Authorization"), "/ca-central-1/kms/aws4_request"): // the region is the key's
		answer(http.StatusBadRequest, map[string]any{"__type": "InvalidSignatureException"})
	case in.KeyID != s.key:
		answer(http.StatusBadRequest, map[string]any{"__type": "NotFoundException"})
	case call == "DescribeKey":
		about := map[string]any{"KeyId": s.key, "KeyState": "Enabled"}
		if s.scheduled {
			about["KeyState"], about["DeletionDate"] = "PendingDeletion", s.goes.Unix()
		}
		answer(http.StatusOK, map[string]any{"KeyMetadata": about})
	case call != "ScheduleKeyDeletion" || in.Days != 7:
		answer(http.StatusBadRequest, map[string]any{"__type": "ValidationException"})
	case s.fails != "":
		s.scheduled = s.scheduled || s.lost
		answer(http.StatusBadRequest, map[string]any{"__type": s.fails, "message": s.fails})
	case s.scheduled:
		answer(http.StatusBadRequest, map[string]any{"__type": "KMSInvalidStateException"})
	default:
		s.scheduled = true
		answer(http.StatusOK, map[string]any{"KeyId": s.key, "KeyState": "PendingDeletion", "DeletionDate": s.goes.Unix()})
	}
}

// The key of a clinic's bucket is scheduled for deletion once, and the certificate has the date. Where KMS refuses or fails nothing is
// certified and the vault's keys stay; the same deletion goes on when it does not any more.
func TestDeletionSchedulesTheKMSKey(t *testing.T) {
	for _, test := range []struct {
		name  string
		fails string
		lost  bool
		calls []string
	}{
		{"at once", "", false, []string{"DescribeKey", "ScheduleKeyDeletion"}},
		{"refused at first", "AccessDeniedException", false, []string{"DescribeKey", "ScheduleKeyDeletion", "DescribeKey", "ScheduleKeyDeletion"}},
		{"failing at first", "KMSInternalException", false, []string{"DescribeKey", "ScheduleKeyDeletion", "DescribeKey", "ScheduleKeyDeletion"}},
		{"failing, and done", "DependencyTimeoutException", true, []string{"DescribeKey", "ScheduleKeyDeletion", "DescribeKey"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, kms, dir := t.Context(), newKMSStandIn(t), t.TempDir()
			kms.fails, kms.lost = test.fails, test.lost
			o := pipeline.SiteOptions{Lake: filepath.Join(dir, "lake"), Clinic: "harbour", ConfigDir: filepath.Join(dir, "config")}
			site, err := pipeline.OpenSite(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := site.Clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
				_, err := lake.Upsert(ctx, tx, lake.Insurers, lake.Batch[contract.Insurer]{Rows: []contract.Insurer{{PayerID: "a", ObservedOn: 20_000}}})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			store, ended := site.Clinic.Store(), 0
			d := pipeline.DeleteOptions{By: "Ada Vale", KMS: scheduleKMSKey(kms.key), Record: func(_ context.Context, _ string, c *deletion.Certificate, _ string) error {
				if c != nil {
					ended++
				}
				return nil
			}}
			certificate, err := pipeline.Delete(ctx, o, store, d)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) || !strings.Contains(err.Error(), "kms:ScheduleKeyDeletion") || ended != 0 {
					t.Fatalf("%d, %v", ended, err)
				}
				if known, err := site.Vault.Knows(ctx, "harbour"); err != nil || !known {
					t.Errorf("the vault knows the clinic: %v, %v", known, err)
				}
				kms.mu.Lock()
				kms.fails = ""
				kms.mu.Unlock()
				certificate, err = pipeline.Delete(ctx, o, store, d)
			}
			if err != nil {
				t.Fatal(err)
			}
			if certificate.KMS == nil || certificate.KMS.Key != kms.key || !certificate.KMS.DeletedOn.Equal(kms.goes) || !certificate.KeysDestroyed || ended != 1 {
				t.Errorf("%+v, %d", certificate.KMS, ended)
			}
			if text := certificate.Text(); !strings.Contains(text, "the key "+kms.key+" in AWS KMS is scheduled for deletion on 2031-05-06") {
				t.Error(text)
			}
			if !slices.Equal(kms.calls, test.calls) {
				t.Errorf("calls: %v", kms.calls)
			}
			stored, err := store.Get(ctx, deletion.CertificateName("harbour", certificate.ID))
			if err == nil {
				_, err = pipeline.VerifyCertificate(ctx, stored, "", store)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}
