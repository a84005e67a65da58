package lake

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Thing is something that a store holds under a prefix: an object, also one that no lake has made; an earlier version of one, or
// the marker of a deletion, on a bucket that keeps versions.
type Thing struct {
	// Name is as the store has it, and may not be a ValidName.
	Name  string
	Bytes int64
	// Version names a version; empty where the store keeps none. Earlier says that it is not the newest, or a deletion's marker.
	Version string
	Earlier bool
}

// thorough is a store that can hold more than List shows.
type thorough interface {
	Everything(ctx context.Context, prefix string) iter.Seq2[Thing, error]
	Remove(ctx context.Context, t Thing) error
}

// Everything yields all that a store holds under a prefix: what a deletion must remove, not only what a lake reads.
func Everything(ctx context.Context, store Store, prefix string) iter.Seq2[Thing, error] {
	if s, ok := store.(thorough); ok {
		return s.Everything(ctx, prefix)
	}
	return func(yield func(Thing, error) bool) {
		for name, err := range store.List(ctx, prefix, "") {
			var body []byte
			if err == nil {
				body, err = store.Get(ctx, name)
				if errors.Is(err, ErrNotFound) {
					continue // it went meanwhile
				}
			}
			if !yield(Thing{Name: name, Bytes: int64(len(body))}, err) || err != nil {
				return
			}
		}
	}
}

// Remove removes what Everything yielded; one that is gone already is no error.
func Remove(ctx context.Context, store Store, t Thing) error {
	if s, ok := store.(thorough); ok {
		return s.Remove(ctx, t)
	}
	return store.Delete(ctx, t.Name)
}

// Everything yields every file under a prefix that ends in a slash, whatever its name.
func (d *Dir) Everything(ctx context.Context, prefix string) iter.Seq2[Thing, error] {
	return func(yield func(Thing, error) bool) {
		err := filepath.WalkDir(d.LocalPath(strings.TrimSuffix(prefix, "/")), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err == nil:
				err = ctx.Err()
			}
			if err != nil || entry.IsDir() {
				return err
			}
			st, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			name, err := filepath.Rel(d.root, path)
			if err != nil {
				return err
			}
			if !yield(Thing{Name: filepath.ToSlash(name), Bytes: st.Size()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Thing{}, d.fail(opList, prefix, err))
		}
	}
}

// Remove removes a file, and folders that became empty by that.
func (d *Dir) Remove(ctx context.Context, t Thing) error {
	if err := ctx.Err(); err != nil {
		return d.fail(opDelete, t.Name, err)
	}
	if !filepath.IsLocal(filepath.FromSlash(t.Name)) {
		return d.fail(opDelete, t.Name, errors.New("it leads out of the store"))
	}
	return d.remove(t.Name)
}

// Everything yields every object under a prefix with all its versions and the markers of its deletions.
func (s *S3) Everything(ctx context.Context, prefix string) iter.Seq2[Thing, error] {
	return func(yield func(Thing, error) bool) {
		pages := s3.NewListObjectVersionsPaginator(s.client, &s3.ListObjectVersionsInput{Bucket: &s.bucket, Prefix: s.key(prefix)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Thing{}, s.fail(opList, prefix, err))
				return
			}
			for _, v := range page.Versions {
				t := Thing{
					Name: strings.TrimPrefix(aws.ToString(v.Key), s.prefix), Bytes: aws.ToInt64(v.Size),
					Version: aws.ToString(v.VersionId), Earlier: !aws.ToBool(v.IsLatest),
				}
				if !yield(t, nil) {
					return
				}
			}
			for _, m := range page.DeleteMarkers {
				t := Thing{Name: strings.TrimPrefix(aws.ToString(m.Key), s.prefix), Version: aws.ToString(m.VersionId), Earlier: true}
				if !yield(t, nil) {
					return
				}
			}
		}
	}
}

// Remove removes one version of an object for good.
func (s *S3) Remove(ctx context.Context, t Thing) error {
	in := &s3.DeleteObjectInput{Bucket: &s.bucket, Key: s.key(t.Name)}
	if t.Version != "" {
		in.VersionId = &t.Version
	}
	if _, err := s.client.DeleteObject(ctx, in); err != nil && code(err) != "NoSuchKey" && code(err) != "NoSuchVersion" {
		return s.fail(opDelete, t.Name, err)
	}
	return nil
}
