package jane

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"github.com/falloff-analytics/falloff/extractors"
)

// pictureTime bounds the taking of a picture: nobody waits long for what only explains a failure.
const pictureTime = 20 * time.Second

// picture keeps how a screen looks on which something was waited for in vain, if somebody wants to know. It changes
// nothing of what becomes of the error.
func (r *run) picture(ctx context.Context, s *screen, err error) {
	hangs := errors.Is(err, errHangs)
	var drift *unmet
	if r.cfg.Snapshot == nil || ctx.Err() != nil || !hangs && !errors.As(err, &drift) {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, pictureTime)
	defer cancel()
	if hangs {
		// What the page is busy with is ended, else it could not be turned into shapes.
		_ = proto.RuntimeTerminateExecution{}.Call(s.page.Context(bounded))
	}
	taken, failed := r.session.Snapshot(bounded, s.page)
	where := ""
	if failed == nil {
		where, failed = r.cfg.Snapshot(taken)
	}
	if failed != nil {
		r.cfg.Progress(Event{Step: Remark, Note: "no picture of the page could be kept"})
		return
	}
	r.pictured = where
	r.cfg.Progress(Event{Step: Remark, Note: "how the page looked, in shapes: " + where})
}

// withPicture says in a failure where the picture is that was taken for it.
func (r *run) withPicture(err error) error {
	where := r.pictured
	r.pictured = ""
	failure, ok := errors.AsType[*extractors.Failure](err)
	if ok && where != "" && (failure.Cause == extractors.PageChanged || failure.Cause == extractors.BrowserCrashed) {
		failure.Hint += ". How the page looked, in shapes: " + where
	}
	return err
}

// selectors are those of the contract: a picture may spell out the words in them.
func (p *Profile) selectors() []string {
	var list []string
	for _, screen := range contractScreens {
		for _, e := range p.Contract.Screens[screen] {
			list = append(list, e.Selector)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
