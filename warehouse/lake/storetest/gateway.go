package storetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// Credentials of the gateway that Gateway starts; it listens on loopback and dies with the test.
const (
	AccessKey = "falloff-test"
	SecretKey = "falloff-test-secret"
	Region    = "us-east-1"
)

// gateway is the one S3 server of this process (its libraries allow no second). Tests share it, each with a bucket of its own.
var gateway struct {
	sync.Mutex
	users    int
	endpoint string
	stop     func() error
	buckets  atomic.Int64
}

// Gateway starts a real S3 server (versitygw over a directory) if none runs, makes a bucket, and returns how to reach
// both. The server ends with the last test that uses it. Where it cannot start the test fails.
func Gateway(tb testing.TB) (cfg aws.Config, bucket string) {
	tb.Helper()
	gateway.Lock()
	defer gateway.Unlock()
	if gateway.users == 0 {
		endpoint, stop, err := startGateway()
		if err != nil {
			tb.Fatalf("start the S3 server: %v", err)
		}
		gateway.endpoint, gateway.stop = endpoint, stop
	}
	gateway.users++
	tb.Cleanup(func() {
		gateway.Lock()
		defer gateway.Unlock()
		if gateway.users--; gateway.users == 0 {
			if err := gateway.stop(); err != nil {
				tb.Errorf("stop the S3 server: %v", err)
			}
		}
	})
	cfg = aws.Config{
		BaseEndpoint: aws.String(gateway.endpoint),
		Region:       Region,
		Credentials:  credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
	}
	bucket = fmt.Sprintf("lake-%d", gateway.buckets.Add(1))
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		tb.Fatalf("make bucket %s: %v", bucket, err)
	}
	return cfg, bucket
}

func startGateway() (endpoint string, stop func() error, err error) {
	root, err := os.MkdirTemp("", "falloff-s3-")
	if err != nil {
		return "", nil, err
	}
	endpoint, stopped, err := Serve(root)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(root))
	}
	return endpoint, func() error { return errors.Join(stopped(), os.RemoveAll(root)) }, nil
}

// Serve starts a real S3 server (versitygw) on loopback over a folder, with the credentials of this package; one at a time in a
// process. What is in the folder stays when it is stopped.
func Serve(root string) (endpoint string, stop func() error, err error) {
	address, err := freeAddress()
	if err != nil {
		return "", nil, err
	}
	return ServeAt(root, address)
}

// ServeAt is Serve at an address, such as 127.0.0.1:7070.
func ServeAt(root, address string) (endpoint string, stop func() error, err error) {
	objects := root + "/objects"
	if err := errors.Join(os.MkdirAll(objects, 0o700), os.MkdirAll(root+"/versions", 0o700)); err != nil {
		return "", nil, err
	}
	attributes, err := attributeStore(root)
	if err != nil {
		return "", nil, err
	}
	// The gateway makes its folder the whole process's working one, which is to be put back before the folder goes.
	before, err := os.Getwd()
	if err != nil {
		return "", nil, err
	}
	backend, err := posix.New(objects, attributes, posix.PosixOpts{CopyObjectThreshold: 5 << 30, VersioningDir: root + "/versions"})
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
			RootUserAccess:    AccessKey,
			RootUserSecret:    SecretKey,
			Region:            Region,
			Ports:             []string{address},
			MaxConnections:    1000,
			MaxRequests:       500,
			MultipartMaxParts: 10000,
			HealthPath:        "/health",
			Quiet:             true,
		})
	}()
	stop = func() error {
		cancel()
		return errors.Join(<-ended, os.Chdir(before))
	}
	if err := ready(ctx, "http://"+address+"/health", ended); err != nil {
		cancel()
		return "", nil, err
	}
	return "http://" + address, stop, nil
}

// attributeStore is where the gateway keeps what it knows of objects beside their bytes: extended attributes where the temporary
// folder has them, for they appear together with the object; files beside it elsewhere.
func attributeStore(root string) (meta.MetadataStorer, error) {
	x := meta.XattrMeta{}
	if x.Test(root+"/objects") == nil {
		return x, nil
	}
	if err := os.MkdirAll(root+"/attributes", 0o700); err != nil {
		return nil, err
	}
	return meta.NewSideCar(root + "/attributes")
}

func freeAddress() (string, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// ready waits until the server answers, or has ended instead.
func ready(ctx context.Context, url string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("it ended at once: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer at %s: %w", strings.TrimSuffix(url, "/health"), err)
		case <-again.C:
		}
	}
}
