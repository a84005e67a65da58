// Command s3server runs a program beside a real S3 server (versitygw) on loopback, for who wants to try a lake in S3 and has none:
//
//	s3server --dir demo/s3 --bucket demo -- bin/falloff demo --dir demo --lake s3://demo/lake
//
// The program finds the server through the usual AWS environment variables. The server ends with it, and what is in its folder is
// there again the next time. It is not for anything that matters: its password is in this repository.
//
// With --listen and no program it serves until it is interrupted, which is how infra/compose.yaml starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

func main() {
	dir := flag.String("dir", "s3", "`folder` that the server keeps its objects in")
	bucket := flag.String("bucket", "demo", "`name` of a bucket to make")
	listen := flag.String("listen", "", "loopback `address` to serve at until interrupted, in the place of a program")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: s3server [--dir DIR] [--bucket NAME] (--listen ADDRESS | -- PROGRAM ARGS...)")
		flag.PrintDefaults()
	}
	flag.Parse()
	if (flag.NArg() == 0) == (*listen == "") {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var code int
	var err error
	if *listen != "" {
		err = serve(ctx, *dir, *bucket, *listen)
	} else {
		code, err = run(ctx, *dir, *bucket, flag.Args())
	}
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "s3server:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// run gives the exit code of the program.
func run(ctx context.Context, dir, bucket string, command []string) (code int, err error) {
	said := dir
	here, err := os.Getwd() // the server takes the whole process elsewhere
	if err != nil {
		return 0, err
	}
	// The program is looked up first, from here as well.
	program, err := exec.LookPath(command[0])
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return 0, err
	}
	if dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return 0, fmt.Errorf("making the server's folder: %w", err)
	}
	endpoint, stop, err := storetest.Serve(dir)
	if err != nil {
		return 0, fmt.Errorf("starting the S3 server: %w", err)
	}
	defer func() {
		err = errors.Join(err, stop())
		_, _ = fmt.Fprintf(os.Stderr, "\nThe S3 server has ended. To start it again for another command: bin/s3server --dir %s --bucket %s -- bin/falloff …\n", said, bucket)
	}()
	if err := makeBucket(ctx, endpoint, bucket); err != nil {
		return 0, fmt.Errorf("making the bucket %s: %w", bucket, err)
	}
	// An interrupt from the terminal reaches the program too; it ends by itself, and the server after it.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, command[1:]...) //nolint:gosec // to run what it is told to is what it is for
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = here, os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+endpoint, "AWS_REGION="+storetest.Region,
		"AWS_ACCESS_KEY_ID="+storetest.AccessKey, "AWS_SECRET_ACCESS_KEY="+storetest.SecretKey)
	err = cmd.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(ended.ExitCode(), 1), nil
	}
	return 0, err
}

// serve serves at an address until ctx ends.
func serve(ctx context.Context, dir, bucket, address string) (err error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().IsLoopback() {
		return fmt.Errorf("--listen %s is no address of loopback, and everybody knows this server's password: listen on 127.0.0.1:7070", address)
	}
	if dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("making the server's folder: %w", err)
	}
	endpoint, stop, err := storetest.ServeAt(dir, address)
	if err != nil {
		return fmt.Errorf("starting the S3 server: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := makeBucket(ctx, endpoint, bucket); err != nil {
		return fmt.Errorf("making the bucket %s: %w", bucket, err)
	}
	_, _ = fmt.Fprintf(os.Stderr, "serving the bucket %s at %s\n", bucket, endpoint)
	<-ctx.Done()
	return nil
}

func makeBucket(ctx context.Context, endpoint, bucket string) error {
	client := s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: storetest.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(storetest.AccessKey, storetest.SecretKey, ""),
	})
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	if _, there := errors.AsType[*types.BucketAlreadyOwnedByYou](err); there {
		return nil
	}
	return err
}
