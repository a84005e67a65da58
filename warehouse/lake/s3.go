package lake

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// S3Location says where in S3 a lake lies.
type S3Location struct {
	Bucket string
	// Prefix is put before every name; slashes at its ends do not matter.
	Prefix string
	// Config is used instead of the usual AWS environment variables and files. Nil outside of tests and programs that
	// obtain credentials in their own way.
	Config *aws.Config
	// Encryption is the encryption at rest that is asked for; nil takes what the context says (WithS3Encryption).
	Encryption *S3Encryption
}

// S3 is a Store in a bucket of Amazon S3 or of a server that speaks its protocol and honours If-None-Match. Requests are
// retried by the AWS client (three attempts unless AWS_MAX_ATTEMPTS says otherwise).
//
// Before the first object is created the bucket is asked whether it keeps the condition; see probed.
type S3 struct {
	client *s3.Client
	bucket string
	prefix string // empty, or ending in a slash
	// encryption is settled; unasked says that the bucket does not have it, of which somebody was told.
	encryption S3Encryption
	unasked    atomic.Bool

	probing sync.Mutex
	// probe is what came of asking, once that is known.
	probe *probeOutcome
}

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixPart = regexp.MustCompile(`^[A-Za-z0-9_=][A-Za-z0-9_.=-]*$`)
)

// OpenS3 opens a bucket as a Store. A wrong setting (no region, no credentials, no such bucket, a wrong signature, an endpoint
// without TLS that is not this machine) is refused here with what to do about it. Connections use TLS 1.3.
func OpenS3(ctx context.Context, at S3Location) (s *S3, err error) {
	s = &S3{bucket: at.Bucket, prefix: strings.Trim(at.Prefix, "/")}
	refuse := func(err error, hint string) error {
		return &StoreError{Op: opOpen, Store: s.String(), Err: err, Hint: hint}
	}
	if !bucketName.MatchString(s.bucket) {
		return nil, refuse(fmt.Errorf("%q is not a bucket name", s.bucket), "a lake in S3 is given as s3://bucket/prefix")
	}
	if s.prefix != "" {
		for part := range strings.SplitSeq(s.prefix, "/") {
			if !prefixPart.MatchString(part) {
				return nil, refuse(fmt.Errorf("%q cannot be part of a prefix", part), "use letters, digits, '_', '.', '=' and '-' between single slashes")
			}
		}
		s.prefix += "/"
	}
	var cfg aws.Config
	if at.Config != nil {
		cfg = at.Config.Copy()
	} else if cfg, err = config.LoadDefaultConfig(ctx); err != nil {
		return nil, refuse(err, "correct the AWS configuration file or the AWS_… environment variables")
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	if b, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		cfg.HTTPClient = b.WithTransportOptions(demandTLS)
	}
	s.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if o.BaseEndpoint != nil {
			o.UsePathStyle = true // a server of one's own seldom has a DNS name for every bucket
			if o.Region == "" {
				o.Region = "us-east-1" // what such servers call themselves unless told otherwise
			}
		}
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	options := s.client.Options()
	if options.BaseEndpoint != nil {
		u, err := url.Parse(*options.BaseEndpoint)
		if err != nil || u.Host == "" {
			return nil, refuse(errors.New("the S3 endpoint is not an address"), "set AWS_ENDPOINT_URL_S3 to https://host:port, or unset it for Amazon S3")
		}
		if err := secure(u); err != nil {
			return nil, refuse(err, "give the server a certificate and set AWS_ENDPOINT_URL_S3 to its https:// address")
		}
	}
	if options.Region == "" {
		return nil, refuse(errors.New("no AWS region is set"), "set AWS_REGION to the region of the bucket, such as ca-central-1")
	}
	if err := s.tryCredentials(ctx, options.Credentials); err != nil {
		return nil, refuse(err, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role gives credentials")
	}
	if at.Encryption != nil {
		s.encryption = *at.Encryption
	} else if asked, ok := ctx.Value(encryptionKey{}).(S3Encryption); ok {
		s.encryption = asked
	}
	s.encryption = s.encryption.settle(s.OnThisMachine())
	if _, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &s.prefix, MaxKeys: aws.Int32(1)}); err != nil {
		return nil, s.fail(opOpen, "", err)
	}
	return s, nil
}

func (s *S3) tryCredentials(ctx context.Context, from aws.CredentialsProvider) error {
	if from == nil {
		return errors.New("no AWS credentials are set")
	}
	// Where nothing is configured the client asks the machine's metadata service, which off Amazon answers nobody.
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if _, err := from.Retrieve(ctx); err != nil {
		return fmt.Errorf("no usable AWS credentials: %w", err)
	}
	return nil
}

// demandTLS keeps plain HTTP to this machine alone and everything else at TLS 1.3. The proxy function is asked about
// every request, those that follow a redirect too.
func demandTLS(t *http.Transport) {
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{}
	}
	t.TLSClientConfig.MinVersion = tls.VersionTLS13
	proxy := t.Proxy
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if err := secure(r.URL); err != nil {
			return nil, err
		}
		if proxy == nil {
			return nil, nil //nolint:nilnil // how net/http says that there is no proxy
		}
		return proxy(r)
	}
}

func secure(u *url.URL) error {
	host := u.Hostname()
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case u.Scheme == "https", u.Scheme == "http" && loopback:
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("the S3 endpoint %s is not encrypted", u.Host)
	default:
		return fmt.Errorf("the S3 endpoint has the scheme %q, not https", u.Scheme)
	}
}

// Endpoint is the server that is not Amazon's, by host and port, and whether it is spoken to over TLS; empty for Amazon S3.
func (s *S3) Endpoint() (host string, tls bool) {
	at := s.client.Options().BaseEndpoint
	if at == nil {
		return "", true
	}
	u, err := url.Parse(*at)
	if err != nil { // it was looked at when the bucket was opened
		return "", true
	}
	return u.Host, u.Scheme == "https"
}

func (s *S3) String() string {
	return strings.TrimSuffix("s3://"+s.bucket+"/"+s.prefix, "/")
}

func (s *S3) key(name string) *string { return aws.String(s.prefix + name) }

// Get implements Store.
func (s *S3) Get(ctx context.Context, name string) ([]byte, error) {
	return s.get(ctx, name, nil)
}

// GetRange implements Store.
func (s *S3) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	if offset < 0 || length < 0 {
		return nil, s.fail(opGet, name, fmt.Errorf("range of %d bytes from %d", length, offset))
	}
	if length == 0 {
		return []byte{}, nil // S3 has no way to ask for nothing
	}
	body, err := s.get(ctx, name, aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)))
	if err == nil && int64(len(body)) != length {
		err = s.fail(opGet, name, fmt.Errorf("%d bytes from %d: got %d: %w", length, offset, len(body), io.ErrUnexpectedEOF))
	}
	if err != nil {
		return nil, err
	}
	return body, nil
}

func (s *S3) get(ctx context.Context, name string, span *string) ([]byte, error) {
	if err := ValidName(name); err != nil {
		return nil, s.fail(opGet, name, err)
	}
	// The client retries a request, but not a body that breaks off while we read it.
	const attempts = 3
	for attempt := 1; ; attempt++ {
		out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: s.key(name), Range: span})
		if err != nil {
			return nil, s.fail(opGet, name, err)
		}
		if err := s.confirmsRead(name, out); err != nil {
			_ = out.Body.Close()
			return nil, err
		}
		body, err := io.ReadAll(out.Body)
		_ = out.Body.Close()
		if err == nil {
			return body, nil
		}
		if attempt == attempts || ctx.Err() != nil {
			return nil, s.fail(opGet, name, err)
		}
	}
}

// Create implements Store.
func (s *S3) Create(ctx context.Context, name string, body []byte) error {
	if err := ValidName(name); err != nil {
		return s.fail(opCreate, name, err)
	}
	if err := s.probed(ctx); err != nil {
		return err
	}
	// S3 answers 409 when another conditional write of the same name is under way: neither won nor lost, ask again. The other
	// one ends, so this does too.
	const attempts = 20
	for attempt := 1; ; attempt++ {
		err := s.put(ctx, name, body, true)
		if err == nil {
			return nil
		}
		if code(err) != "ConditionalRequestConflict" || attempt == attempts {
			return s.fail(opCreate, name, err)
		}
	}
}

// Replace implements Store.
func (s *S3) Replace(ctx context.Context, name string, body []byte) error {
	if err := ValidName(name); err != nil {
		return s.fail(opReplace, name, err)
	}
	if err := s.put(ctx, name, body, false); err != nil {
		return s.fail(opReplace, name, err)
	}
	return nil
}

// put writes an object, on condition that there is none of this name where create is set. The error is the client's own.
func (s *S3) put(ctx context.Context, name string, body []byte, create bool) error {
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: s.key(name), Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body)))}
	if create {
		in.IfNoneMatch = aws.String("*")
	}
	if name != probeName && !s.unasked.Load() {
		s.encryption.ask(in)
	}
	_, err := s.client.PutObject(ctx, in)
	return err
}

// List implements Store.
func (s *S3) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return NamesOf(s.Entries(ctx, prefix, after))
}

// Entries implements Store.
func (s *S3) Entries(ctx context.Context, prefix, after string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: s.key(prefix)}
		if after != "" {
			in.StartAfter = s.key(after)
		}
		pages := s3.NewListObjectsV2Paginator(s.client, in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Entry{}, s.fail(opList, prefix, err))
				return
			}
			for _, o := range page.Contents {
				name := strings.TrimPrefix(aws.ToString(o.Key), s.prefix)
				if ValidName(name) != nil {
					continue // a folder marker, the probe, or something that is not ours
				}
				if !yield(Entry{Name: name, Bytes: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}, nil) {
					return
				}
			}
		}
	}
}

// Delete implements Store.
func (s *S3) Delete(ctx context.Context, name string) error {
	if err := ValidName(name); err != nil {
		return s.fail(opDelete, name, err)
	}
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: s.key(name)})
	if err != nil && code(err) != "NoSuchKey" {
		return s.fail(opDelete, name, err)
	}
	return nil
}

// code is S3's own name of an error, empty where the server did not answer with one.
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

var s3Hints = map[string]string{
	"NoSuchBucket":                 "create the bucket in the clinic's region, or correct its name",
	"AccessDenied":                 "these credentials need s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject on this bucket and prefix",
	"Forbidden":                    "these credentials need s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject on this bucket and prefix",
	"InvalidAccessKeyId":           "the access key is unknown to this server: check AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL_S3",
	"XAdminUserNotFound":           "the access key is unknown to this server: check AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL_S3",
	"SignatureDoesNotMatch":        "the secret key is wrong: check AWS_SECRET_ACCESS_KEY",
	"ExpiredToken":                 "the credentials have expired: sign in to AWS again",
	"PermanentRedirect":            "the bucket is in another region: set AWS_REGION to it",
	"AuthorizationHeaderMalformed": "the bucket is in another region: set AWS_REGION to it",
	"RequestTimeTooSkewed":         "this machine's clock is wrong: set it",
	"SlowDown":                     "the server is overloaded: run it again later",
	"NotImplemented":               "this server does not know create-only writes (If-None-Match), which a lake needs: use another one",
	"XMinioStorageFull":            "the server's disk is full: free some space and run it again",
}

func (s *S3) fail(op, name string, err error) error {
	e := &StoreError{Op: op, Name: name, Store: s.String(), Err: err}
	switch c := code(err); c {
	case "NoSuchKey", "NotFound":
		if op == opGet {
			e.Err = ErrNotFound
		}
	case "PreconditionFailed":
		if op == opCreate {
			e.Err = ErrExists
		}
	case "InvalidRange":
		e.Err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	default:
		e.Hint = s3Hints[c]
	}
	network, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok || e.Hint != "" || errors.Is(err, context.Canceled):
	case network.Op == "remote error" && strings.Contains(err.Error(), "protocol version"):
		e.Hint = "the S3 server must offer TLS 1.3"
	default:
		e.Hint = "the S3 server does not answer: check AWS_ENDPOINT_URL_S3 and the network"
	}
	return e
}
