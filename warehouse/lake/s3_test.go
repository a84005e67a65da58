package lake_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

func TestS3SettingsComeFromTheUsualEnvironment(t *testing.T) {
	cfg, bucket := storetest.Gateway(t)
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": storetest.AccessKey, "AWS_SECRET_ACCESS_KEY": storetest.SecretKey, "AWS_ENDPOINT_URL_S3": *cfg.BaseEndpoint,
		"AWS_REGION": storetest.Region, "AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"),
	} {
		t.Setenv(name, value)
	}
	store, err := lake.OpenStore(t.Context(), "s3://"+bucket+"/clinics/Main/")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Create(t.Context(), "x/y", []byte("z")); err != nil {
		t.Fatal(err)
	}
	if store.String() != "s3://"+bucket+"/clinics/Main" {
		t.Errorf("%s", store)
	}
	whole, err := lake.OpenStore(t.Context(), "s3://"+bucket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := whole.Get(t.Context(), "clinics/x/y"); !errors.Is(err, lake.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if names := storetest.Names(t, store, ""); len(names) != 1 || names[0] != "x/y" {
		t.Errorf("%v", names)
	}
}

func TestS3MistakesAreRefusedWithWhatToDo(t *testing.T) {
	good, bucket := storetest.Gateway(t)
	once := func(c *aws.Config) { c.Retryer = func() aws.Retryer { return aws.NopRetryer{} } }
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	for _, test := range []struct {
		name, bucket string
		change       func(c *aws.Config)
		want         []string
	}{
		{"no such bucket", "absent-bucket", nil, []string{"NoSuchBucket", "create the bucket"}},
		{"a wrong secret", bucket, func(c *aws.Config) {
			c.Credentials = credentials.NewStaticCredentialsProvider(storetest.AccessKey, "not it", "")
		}, []string{"AWS_SECRET_ACCESS_KEY"}},
		{"an unknown access key", bucket, func(c *aws.Config) {
			c.Credentials = credentials.NewStaticCredentialsProvider("nobody", storetest.SecretKey, "")
		}, []string{"AWS_ACCESS_KEY_ID"}},
		{"no credentials", bucket, func(c *aws.Config) { c.Credentials = nil }, []string{"no AWS credentials", "AWS_PROFILE"}},
		{"no region", bucket, func(c *aws.Config) { c.BaseEndpoint, c.Region = nil, "" }, []string{"AWS_REGION"}},
		{"no encryption", bucket, func(c *aws.Config) { c.BaseEndpoint = aws.String("http://192.0.2.1:9000") }, []string{"not encrypted", "https://"}},
		{"no address", bucket, func(c *aws.Config) { c.BaseEndpoint = aws.String("s3.example.com") }, []string{"AWS_ENDPOINT_URL_S3"}},
		{"another scheme", bucket, func(c *aws.Config) { c.BaseEndpoint = aws.String("ftp://localhost:1") }, []string{"not https"}},
		{"a dead server", bucket, func(c *aws.Config) { c.BaseEndpoint = aws.String("http://" + dead.Addr().String()); once(c) }, []string{"does not answer"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := good.Copy()
			if test.change != nil {
				test.change(&cfg)
			}
			_, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: test.bucket, Config: &cfg})
			if err == nil {
				t.Fatal("it was opened")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), storetest.SecretKey) {
				t.Error("the error holds a credential")
			}
		})
	}
}

func TestS3DemandsTLS13(t *testing.T) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.WriteString(w, `<?xml version="1.0"?><ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>`); err != nil {
			t.Error(err)
		}
	})
	for version, ok := range map[uint16]bool{tls.VersionTLS12: false, tls.VersionTLS13: true} {
		server := httptest.NewUnstartedServer(answer)
		server.TLS = &tls.Config{MaxVersion: version}
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		defer server.Close()
		authority := filepath.Join(t.TempDir(), "authority.pem")
		if err := os.WriteFile(authority, pemOf(server.Certificate()), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL_S3": server.URL, "AWS_REGION": "ca-central-1",
			"AWS_CA_BUNDLE": authority, "AWS_MAX_ATTEMPTS": "1", "AWS_CONFIG_FILE": authority + ".none", "AWS_SHARED_CREDENTIALS_FILE": authority + ".none",
		} {
			t.Setenv(name, value)
		}
		_, err := lake.OpenStore(t.Context(), "s3://bucket/lake")
		if (err == nil) != ok {
			t.Errorf("TLS %x: %v", version, err)
		}
		if !ok && err != nil && !strings.Contains(err.Error(), "TLS 1.3") {
			t.Errorf("TLS %x: %v", version, err)
		}
	}
}

// A server that redirects to plain HTTP elsewhere is not followed there.
func TestS3FollowsNobodyOutOfEncryption(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1/stolen", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	cfg := aws.Config{BaseEndpoint: &server.URL, Region: "ca-central-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} }}
	_, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: "bucket", Config: &cfg})
	if err == nil || !strings.Contains(err.Error(), "not encrypted") {
		t.Errorf("%v", err)
	}
}

// What a real server seldom does is played by a small one: a conflict that must be asked about again, a body that breaks off, a lost
// answer after which the client's own second attempt meets its first.
func TestS3InBadWeather(t *testing.T) {
	var calls atomic.Int32
	var handle func(call int32, w http.ResponseWriter, r *http.Request)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("list-type") {
			_, _ = io.WriteString(w, `<ListBucketResult/>`)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if strings.HasPrefix(r.URL.Path, "/bucket/.falloff/") { // the probe, by a bucket that was asked before
			storetest.Refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		handle(calls.Add(1), w, r)
	}))
	defer server.Close()
	cfg := aws.Config{BaseEndpoint: &server.URL, Region: "ca-central-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.Backoff = retry.BackoffDelayerFunc(noDelay) })
		}}
	store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: "bucket", Config: &cfg})
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(w http.ResponseWriter, status int, code string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `<Error><Code>`+code+`</Code><Message>said so</Message></Error>`)
	}
	create := func() error { calls.Store(0); return store.Create(context.Background(), "x", []byte("body")) }

	handle = func(call int32, w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "*" {
			t.Errorf("a create without its condition: %v", r.Header)
		}
		if call < 4 {
			refuse(w, http.StatusConflict, "ConditionalRequestConflict")
		}
	}
	if err := create(); err != nil || calls.Load() != 4 {
		t.Errorf("after three conflicts: %v, %d calls", err, calls.Load())
	}
	handle = func(_ int32, w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	}
	if err := create(); !errors.Is(err, lake.ErrExists) {
		t.Errorf("a failed condition: %v", err)
	}
	handle = func(_ int32, w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
	if err := create(); err == nil || !strings.Contains(err.Error(), "create-only") {
		t.Errorf("a server without conditions: %v", err)
	}
	handle = func(call int32, w http.ResponseWriter, _ *http.Request) {
		if call == 1 {
			refuse(w, http.StatusServiceUnavailable, "SlowDown")
		}
	}
	if err := create(); err != nil {
		t.Errorf("throttled once: %v", err)
	}
	handle = func(call int32, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "8")
		_, _ = io.WriteString(w, "half")
		if call > 1 {
			_, _ = io.WriteString(w, "half")
		}
	}
	calls.Store(0)
	if got, err := store.Get(t.Context(), "x"); err != nil || string(got) != "halfhalf" {
		t.Errorf("after a body that broke off: %q, %v", got, err)
	}
}

func noDelay(int, error) (time.Duration, error) { return 0, nil }

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
