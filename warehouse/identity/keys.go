package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// keysAge is after how long keys are fetched anew, so that one that an issuer has taken back does not count for long.
	keysAge = time.Hour
	// keysOldest is how long keys count whose issuer cannot be reached.
	keysOldest = 24 * time.Hour
	// keysPause is the least time between two fetches that succeeded, keysRetry between one that failed and the next.
	keysPause = time.Minute
	keysRetry = 5 * time.Second
	// keysTimeout bounds one fetch, largestKeys what is read of it.
	keysTimeout = 10 * time.Second
	largestKeys = 256 << 10
	mostKeys    = 100
)

// keySet are an issuer's public keys, fetched when they are first needed.
type keySet struct {
	// find gives the address of the keys.
	find func(ctx context.Context) (string, error)
	get  func(ctx context.Context, address string) ([]byte, error)
	now  func() time.Time
	// fetching holds one token: whoever has it fetches.
	fetching chan struct{}

	mu      sync.RWMutex
	byID    map[string]jose.JSONWebKey
	fetched time.Time
	// next is the first moment at which another fetch may begin.
	next time.Time
}

func newKeySet(find func(ctx context.Context) (string, error), get func(ctx context.Context, address string) ([]byte, error), now func() time.Time) *keySet {
	return &keySet{find: find, get: get, now: now, fetching: make(chan struct{}, 1)}
}

// key finds a key by its id. Keys that are old, or an id that is not among them, are reason to fetch, but not more often than
// once in keysPause.
func (k *keySet) key(ctx context.Context, id string) (any, error) {
	if id == "" {
		return nil, refuse(UnknownKey, errors.New("the token names no key"))
	}
	if key, fresh := k.have(id); key != nil && fresh {
		return key, nil
	}
	select {
	case k.fetching <- struct{}{}:
		defer func() { <-k.fetching }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	key, fresh := k.have(id)
	if key != nil && fresh { // somebody else has fetched it meanwhile
		return key, nil
	}
	failed := k.fetch(ctx)
	if key, _ = k.have(id); key != nil {
		return key, nil
	}
	if failed != nil {
		return nil, refuse(KeysMissing, failed)
	}
	return nil, refuse(UnknownKey, nil)
}

// have looks the key up, and says whether the keys are fresh.
func (k *keySet) have(id string) (key any, fresh bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	age := k.now().Sub(k.fetched)
	found, ok := k.byID[id]
	if !ok || age > keysOldest {
		return nil, false
	}
	return found.Key, age < keysAge
}

// fetch fetches the keys, unless it is too early for that. The wish of one request is not that of the others who wait: the
// fetch goes on when it is cancelled.
func (k *keySet) fetch(ctx context.Context) error {
	if k.now().Before(k.next) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
	defer cancel()
	keys, err := k.load(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.next = k.now().Add(keysRetry)
		return err
	}
	k.byID, k.fetched, k.next = keys, k.now(), k.now().Add(keysPause)
	return nil
}

func (k *keySet) load(ctx context.Context) (map[string]jose.JSONWebKey, error) {
	address, err := k.find(ctx)
	if err != nil {
		return nil, err
	}
	body, err := k.get(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("fetching signing keys: %w", err)
	}
	return readKeys(body)
}

// readKeys takes the public signing keys out of a JWKS. What is no such key is passed over, and an id that two keys share is
// nobody's.
func readKeys(body []byte) (map[string]jose.JSONWebKey, error) {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return nil, errors.New("the signing keys are not a JWKS")
	}
	if len(document.Keys) > mostKeys {
		return nil, fmt.Errorf("the issuer has more than %d signing keys", mostKeys)
	}
	keys, twice := map[string]jose.JSONWebKey{}, map[string]bool{}
	for _, raw := range document.Keys {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(raw); err != nil || !key.Valid() || !key.IsPublic() || key.KeyID == "" || key.Use == "enc" {
			continue
		}
		_, twice[key.KeyID] = keys[key.KeyID]
		keys[key.KeyID] = key
	}
	for id, is := range twice {
		if is {
			delete(keys, id)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the issuer publishes no signing key")
	}
	return keys, nil
}

// fetcher fetches small documents of issuers.
type fetcher struct {
	outside, loopback *http.Client
}

// newFetcher makes one. Addresses outside this machine are spoken to by TLS 1.3 alone; redirects are not followed. roots are
// the certificate authorities that count, nil for the system's.
func newFetcher(roots *x509.CertPool) *fetcher {
	client := func(least uint16) *http.Client {
		return &http.Client{
			Timeout:       keysTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: keysTimeout, IdleConnTimeout: keysTimeout,
				TLSClientConfig: &tls.Config{MinVersion: least, RootCAs: roots},
			},
		}
	}
	return &fetcher{outside: client(tls.VersionTLS13), loopback: client(tls.VersionTLS12)}
}

func (f *fetcher) get(ctx context.Context, address string) ([]byte, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	client := f.outside
	if isLoopback(request.URL.Hostname()) {
		client = f.loopback
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers with status %d", request.URL.Host, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, largestKeys+1))
	if err == nil && len(body) > largestKeys {
		err = fmt.Errorf("%s answers with more than %d KB", request.URL.Host, largestKeys>>10)
	}
	return body, err
}

// checkAddress takes https anywhere, and plain http on this machine alone.
func checkAddress(text string) error {
	address, err := url.Parse(text)
	switch {
	case err != nil || address.Hostname() == "" || address.User != nil || address.Fragment != "":
		return fmt.Errorf("%.80q is not an address: write it as https://host", text)
	case address.Scheme == "https", address.Scheme == "http" && isLoopback(address.Hostname()):
		return nil
	default:
		return fmt.Errorf("%.80q is not https: plain http is for this machine alone", text)
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// discovered finds the keys of an OIDC issuer by its discovery document, which must be the issuer's own.
func discovered(issuer string, get func(ctx context.Context, address string) ([]byte, error)) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		body, err := get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
		if err != nil {
			return "", fmt.Errorf("asking the issuer for its configuration: %w", err)
		}
		var document struct {
			Issuer string `json:"issuer"`
			Keys   string `json:"jwks_uri"`
		}
		if err := json.Unmarshal(body, &document); err != nil {
			return "", errors.New("the issuer's configuration is not JSON")
		}
		if document.Issuer != issuer {
			return "", errors.New("the issuer's configuration is another issuer's: write the issuer exactly as its configuration has it")
		}
		return document.Keys, checkAddress(document.Keys)
	}
}
