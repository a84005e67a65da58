package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// EncryptionMode says what becomes of a bucket that does not confirm that it encrypts.
type EncryptionMode string

// The modes. The zero value demands it of every server but one on loopback, of which it is told.
const (
	DemandEncryption EncryptionMode = "demand"
	WarnEncryption   EncryptionMode = "warn"
	NoEncryption     EncryptionMode = "off"
)

// S3Encryption is the encryption at rest that a bucket is asked for.
type S3Encryption struct {
	Mode EncryptionMode
	// KMSKey is the clinic's key in AWS KMS; empty asks for S3's own AES-256.
	KMSKey string
	// Warn is told, once, of a bucket that does not confirm and is used nevertheless; nil for nobody, which asks for nothing.
	Warn func(text string)
}

type encryptionKey struct{}

// WithS3Encryption has OpenStore ask the buckets that it opens under this context for encryption.
func WithS3Encryption(ctx context.Context, e S3Encryption) context.Context {
	return context.WithValue(ctx, encryptionKey{}, e)
}

// ErrUnencrypted is returned for a bucket that does not confirm that it encrypts what it holds.
var ErrUnencrypted = errors.New("the bucket does not confirm that what it holds is encrypted")

const unencryptedHint = "use a bucket with server-side encryption (Amazon S3 has it; for a server of your own, docs/running.md says what s3_encryption may be)"

// settle finds what is asked of this bucket.
func (e S3Encryption) settle(onThisMachine bool) S3Encryption {
	if e.Mode == "" {
		e.Mode = DemandEncryption
		if onThisMachine {
			e.Mode = WarnEncryption
		}
	}
	if e.Mode == WarnEncryption && e.Warn == nil {
		e.Mode = NoEncryption
	}
	return e
}

// ask adds to a request to write what is asked for.
func (e S3Encryption) ask(in *s3.PutObjectInput) {
	switch {
	case e.Mode == NoEncryption:
	case e.KMSKey != "":
		in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryptionAwsKms, &e.KMSKey
	default:
		in.ServerSideEncryption = types.ServerSideEncryptionAes256
	}
}

// confirm says whether an answer confirms what was asked for. A key that is named by its ARN must be the one that was used.
func (e S3Encryption) confirm(algorithm types.ServerSideEncryption, key *string) error {
	switch {
	case algorithm == "":
		return ErrUnencrypted
	case e.KMSKey == "":
		return nil // by whichever key: it is AES-256 in any case
	case algorithm != types.ServerSideEncryptionAwsKms && algorithm != types.ServerSideEncryptionAwsKmsDsse:
		return fmt.Errorf("%w with the KMS key %s: it says %s", ErrUnencrypted, e.KMSKey, algorithm)
	}
	if name, err := arn.Parse(e.KMSKey); err == nil && strings.HasPrefix(name.Resource, "key/") && aws.ToString(key) != e.KMSKey {
		return fmt.Errorf("%w with the KMS key %s, but with another", ErrUnencrypted, e.KMSKey)
	}
	return nil
}

// encryptionProbeName is the object by which a bucket shows whether it encrypts. Its dot keeps it out of every listing.
const encryptionProbeName = ".falloff/encrypted"

// provesEncryption writes an object and asks what became of it, before anything else is written: what a server accepts says
// nothing, for some accept the wish and ignore it.
func (s *S3) provesEncryption(ctx context.Context) error {
	if s.encryption.Mode == NoEncryption {
		return nil
	}
	body := []byte("This object shows whether the bucket encrypts.\n")
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: s.key(encryptionProbeName), Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body)))}
	s.encryption.ask(in)
	_, err := s.client.PutObject(ctx, in)
	if err == nil {
		var head *s3.HeadObjectOutput
		if head, err = s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: s.key(encryptionProbeName)}); err == nil {
			err = s.encryption.confirm(head.ServerSideEncryption, head.SSEKMSKeyId)
		}
	}
	switch {
	case err == nil, ctx.Err() != nil:
		return err
	case s.encryption.Mode == WarnEncryption && (errors.Is(err, ErrUnencrypted) || code(err) == "NotImplemented" || code(err) == "InvalidArgument"):
		s.encryption.Warn(fmt.Sprintf("%s is not encrypted at rest: %v", s, ErrUnencrypted))
		s.unasked.Store(true)
		return nil
	case errors.Is(err, ErrUnencrypted):
		return &StoreError{Op: opCreate, Name: encryptionProbeName, Store: s.String(), Err: err, Hint: unencryptedHint}
	}
	return s.fail(opCreate, encryptionProbeName, err)
}

// confirmsRead refuses an object that was not encrypted, where that is demanded.
func (s *S3) confirmsRead(name string, out *s3.GetObjectOutput) error {
	if s.encryption.Mode != DemandEncryption {
		return nil
	}
	if err := s.encryption.confirm(out.ServerSideEncryption, out.SSEKMSKeyId); err != nil {
		return &StoreError{Op: opGet, Name: name, Store: s.String(), Err: err, Hint: unencryptedHint}
	}
	return nil
}
