package lake_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

const kmsKey = "arn:aws:kms:ca-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// TestS3Encryption holds a real server, which takes the wish and ignores it, against what is asked; and one that confirms.
func TestS3Encryption(t *testing.T) {
	config, bucket := storetest.Gateway(t)
	confirming := func(algorithm, key string) func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			w.Header().Set("X-Amz-Server-Side-Encryption", algorithm)
			if key != "" {
				w.Header().Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", key)
			}
			pass.ServeHTTP(w, r)
		}
	}
	for what, c := range map[string]struct {
		behind  func(w http.ResponseWriter, r *http.Request, pass http.Handler)
		ask     lake.S3Encryption
		refused bool
		warned  bool
	}{
		"a server that ignores it":              {nil, lake.S3Encryption{Mode: lake.DemandEncryption}, true, false},
		"one that ignores it, with a warning":   {nil, lake.S3Encryption{Mode: lake.WarnEncryption}, false, true},
		"one that ignores it, by default":       {nil, lake.S3Encryption{}, false, true},
		"one that ignores it, and nobody cares": {nil, lake.S3Encryption{Mode: lake.NoEncryption}, false, false},
		"one that confirms":                     {confirming("AES256", ""), lake.S3Encryption{Mode: lake.DemandEncryption}, false, false},
		"one that confirms less than a key":     {confirming("AES256", ""), lake.S3Encryption{Mode: lake.DemandEncryption, KMSKey: kmsKey}, true, false},
		"one that confirms another key":         {confirming("aws:kms", strings.Replace(kmsKey, "1234", "4321", 1)), lake.S3Encryption{Mode: lake.DemandEncryption, KMSKey: kmsKey}, true, false},
		"one that confirms the key":             {confirming("aws:kms", kmsKey), lake.S3Encryption{Mode: lake.DemandEncryption, KMSKey: kmsKey}, false, false},
	} {
		t.Run(what, func(t *testing.T) {
			through := config
			if c.behind != nil {
				through = storetest.Proxy(t, config, c.behind)
			}
			warnings := 0
			c.ask.Warn = func(text string) {
				warnings++
				if !strings.Contains(text, bucket) {
					t.Errorf("warned: %s", text)
				}
			}
			store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Prefix: strings.ReplaceAll(strings.ReplaceAll(what, " ", "-"), ",", ""), Config: &through, Encryption: &c.ask})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"a", "b"} {
				err := store.Create(t.Context(), name, []byte("x"))
				if errors.Is(err, lake.ErrUnencrypted) != c.refused || err != nil && !c.refused {
					t.Errorf("writing says %v", err)
				}
			}
			if c.refused {
				if names := storetest.Names(t, store, ""); len(names) > 0 {
					t.Errorf("%v were written", names)
				}
				return
			}
			if body, err := store.Get(t.Context(), "a"); err != nil || string(body) != "x" {
				t.Errorf("reading says %q, %v", body, err)
			}
			if (warnings == 1) != c.warned || warnings > 1 {
				t.Errorf("%d warnings", warnings)
			}
		})
	}
	// What lies there unencrypted is not read where encryption is demanded.
	plain, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Config: &config})
	if err != nil {
		t.Fatal(err)
	}
	if err := plain.Create(t.Context(), "plain", []byte("x")); err != nil {
		t.Fatal(err)
	}
	strict, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Config: &config, Encryption: &lake.S3Encryption{Mode: lake.DemandEncryption}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := strict.Get(t.Context(), "plain"); !errors.Is(err, lake.ErrUnencrypted) {
		t.Errorf("reading an unencrypted object: %v", err)
	}
}
