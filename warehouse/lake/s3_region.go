package lake

import (
	"context"
	"net"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Region is the region that the bucket says it lies in.
func (s *S3) Region(ctx context.Context) (string, error) {
	head, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	if err == nil && aws.ToString(head.BucketRegion) != "" {
		return *head.BucketRegion, nil
	}
	where, err := s.client.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &s.bucket})
	if err != nil {
		return "", s.fail(opOpen, "", err)
	}
	switch where.LocationConstraint { //nolint:exhaustive // these two are names from before regions had any
	case "":
		return "us-east-1", nil
	case "EU":
		return "eu-west-1", nil
	}
	return string(where.LocationConstraint), nil
}

// OnThisMachine says whether the server listens on loopback: it then lies where this machine does, whatever it calls its region.
func (s *S3) OnThisMachine() bool {
	endpoint := s.client.Options().BaseEndpoint
	if endpoint == nil {
		return false
	}
	u, err := url.Parse(*endpoint)
	return err == nil && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
