package vault_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/falloff-analytics/falloff/pipeline/vault"
)

// kmsServer speaks enough of AWS KMS's JSON protocol over HTTP for Encrypt and Decrypt. It was written after AWS's
// documentation; the vault was not tried against AWS itself.
type kmsServer struct {
	key    string
	secret cipher.AEAD

	mu       sync.Mutex
	contexts []map[string]string
	deny     bool
}

func newKMS(t *testing.T) *kmsServer {
	t.Helper()
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	block, err := aes.NewCipher(raw)
	if err != nil {
		t.Fatal(err)
	}
	s := &kmsServer{key: "arn:aws:kms:ca-central-1:111122223333:key/0d2f6c1e-6a0a-4a4e-9a53-6f1f5e0c7a11"}
	if s.secret, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
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

func (s *kmsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fail := func(kind string) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": kind})
	}
	var in struct {
		KeyID             string `json:"KeyId"` //nolint:tagliatelle // AWS's name
		Plaintext         []byte
		CiphertextBlob    []byte
		EncryptionContext map[string]string
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &in) != nil {
		fail("SerializationException")
		return
	}
	// The region is the key's, not the one of the environment.
	if !strings.Contains(r.Header.Get("Authorization"), "/ca-central-1/kms/aws4_request") {
		fail("InvalidSignatureException")
		return
	}
	if s.deny {
		fail("AccessDeniedException")
		return
	}
	if in.KeyID != s.key {
		fail("NotFoundException")
		return
	}
	s.contexts = append(s.contexts, in.EncryptionContext)
	bound := []byte{}
	for _, name := range slices.Sorted(maps.Keys(in.EncryptionContext)) {
		bound = append(bound, name+"="+in.EncryptionContext[name]+";"...)
	}
	out := map[string]any{"KeyId": s.key, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
	switch r.Header.Get("X-Amz-Target") {
	case "TrentService.Encrypt":
		nonce := make([]byte, s.secret.NonceSize())
		_, _ = rand.Read(nonce)
		out["CiphertextBlob"] = s.secret.Seal(nonce, nonce, in.Plaintext, bound)
	case "TrentService.Decrypt":
		size := s.secret.NonceSize()
		if len(in.CiphertextBlob) < size {
			fail("InvalidCiphertextException")
			return
		}
		plain, err := s.secret.Open(nil, in.CiphertextBlob[:size], in.CiphertextBlob[size:], bound)
		if err != nil {
			fail("InvalidCiphertextException")
			return
		}
		out["Plaintext"] = plain
	default:
		fail("UnknownOperationException")
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(out)
}

// KMS is told with every request which vault it is for, and a refusal says what is missing.
func TestKMS(t *testing.T) {
	server := newKMS(t)
	o := vault.Options{ConfigDir: t.TempDir(), Unlock: vault.Unlock{Kind: vault.ByKMS, KMSKey: server.key}}
	v := open(t, o)
	must[string](t)(v.SetCredentials(t.Context(), "harbour", credentials()))
	v.Close()
	open(t, vault.Options{ConfigDir: o.ConfigDir}) // the file names its key: a night job needs no flag
	if len(server.contexts) != 2 || len(server.contexts[0]) == 0 || !maps.Equal(server.contexts[0], server.contexts[1]) {
		t.Errorf("contexts %v", server.contexts)
	}
	other := vault.Unlock{Kind: vault.ByKMS, KMSKey: strings.Replace(server.key, "0d2f", "ffff", 1)}
	if err := refused(t, vault.Options{ConfigDir: o.ConfigDir, Unlock: other}); !strings.Contains(err.Error(), server.key) {
		t.Errorf("another key: %v", err)
	}
	server.mu.Lock()
	server.deny = true
	server.mu.Unlock()
	if err := refused(t, o); !strings.Contains(err.Error(), "kms:Decrypt") || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("a denied key: %v", err)
	}
}
