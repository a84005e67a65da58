package browser

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"
)

// Open opens a tab with an empty page.
func (s *Session) Open(ctx context.Context) (*rod.Page, error) {
	return s.tab(ctx, func() (*rod.Page, error) { return s.rod.Page(proto.TargetCreateTarget{}) })
}

// NextTab returns a function that waits for the next tab that a page opens from now on. The context bounds the watch.
func (s *Session) NextTab(ctx context.Context) (wait func() (*rod.Page, error)) {
	var opened proto.TargetTargetID
	watch := s.rod.Context(ctx).EachEvent(func(e *proto.TargetTargetCreated) bool {
		if !s.isTab(e.TargetInfo) {
			return false
		}
		opened = e.TargetInfo.TargetID
		return true
	})
	return func() (*rod.Page, error) {
		watch()
		if opened == "" {
			return nil, s.cause(ctx, errors.New("no tab was opened"))
		}
		return s.tab(ctx, func() (*rod.Page, error) { return s.rod.PageFromTarget(opened) })
	}
}

// tab attaches to a tab. What attaches must not be bound to ctx, since the tab lives on after it; so ctx only bounds the
// wait. Dialogs that would hold the tab up are answered: a page may be left, and nothing else is confirmed.
func (s *Session) tab(ctx context.Context, attach func() (*rod.Page, error)) (*rod.Page, error) {
	type attached struct {
		page *rod.Page
		err  error
	}
	done := make(chan attached, 1)
	s.watching.Go(func() {
		page, err := attach()
		done <- attached{page, err}
	})
	select {
	case <-ctx.Done():
		return nil, s.cause(ctx, ctx.Err())
	case a := <-done:
		if a.err != nil {
			return nil, s.cause(ctx, a.err)
		}
		s.watching.Go(a.page.EachEvent(func(e *proto.PageJavascriptDialogOpening) {
			_ = proto.PageHandleJavaScriptDialog{Accept: e.Type == proto.PageDialogTypeBeforeunload}.Call(a.page)
		}))
		return a.page, nil
	}
}

func (s *Session) isTab(info *proto.TargetTargetInfo) bool {
	return info.Type == proto.TargetTargetInfoTypePage && info.BrowserContextID == s.rod.BrowserContextID
}

// cause prefers the reason why the session or the context ended over an error that follows from it.
func (s *Session) cause(ctx context.Context, err error) error {
	for _, c := range []context.Context{s.ctx, ctx} {
		if why := context.Cause(c); why != nil {
			return why
		}
	}
	return err
}

// CloseTabs closes every tab but one.
func (s *Session) CloseTabs(ctx context.Context, except *rod.Page) error {
	all, err := proto.TargetGetTargets{}.Call(s.rod.Context(ctx))
	if err != nil {
		return err
	}
	for _, info := range all.TargetInfos {
		if !s.isTab(info) || info.TargetID == except.TargetID {
			continue
		}
		if _, err := (proto.TargetCloseTarget{TargetID: info.TargetID}).Call(s.rod.Context(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// Answers reports whether a tab still answers. One whose script never ends does not; the context says how long is waited.
func (s *Session) Answers(ctx context.Context, page *rod.Page) bool {
	_, err := proto.RuntimeEvaluate{Expression: "0"}.Call(page.Context(ctx))
	return err == nil
}

// A replacement is a tab being killed on purpose, and what falls with it.
type replacement struct {
	hung   proto.TargetTargetID
	gone   chan struct{}
	fallen []proto.TargetTargetID
}

// Replace opens a tab with an empty page in place of one that hangs. The renderer of the old one is killed, because a page
// whose script never ends does not close by being asked; tabs that share it end as well. Cookies stay.
func (s *Session) Replace(ctx context.Context, hung *rod.Page) (*rod.Page, error) {
	r := &replacement{hung: hung.TargetID, gone: make(chan struct{})}
	s.mu.Lock()
	busy := s.replacing != nil
	if !busy {
		s.replacing = r
	}
	s.mu.Unlock()
	if busy {
		return nil, errors.New("another tab is being replaced")
	}
	killing, stop := context.WithCancel(s.ctx)
	defer stop()
	// The crash takes the answer to the call with it.
	s.watching.Go(func() { _ = proto.PageCrash{}.Call(hung.Context(killing)) })
	var err error
	select {
	case <-r.gone:
		// Every other tab that fell has been told of before this is answered.
		_, err = proto.TargetGetTargets{}.Call(s.rod.Context(ctx))
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.mu.Lock()
	s.replacing = nil
	s.mu.Unlock()
	if err != nil {
		return nil, s.cause(ctx, err)
	}
	for _, id := range r.fallen {
		if _, err := (proto.TargetCloseTarget{TargetID: id}).Call(s.rod.Context(ctx)); err != nil {
			return nil, s.cause(ctx, err)
		}
	}
	return s.Open(ctx)
}

// crashed notes that a tab has crashed. It ends the session, unless the tab is being replaced.
func (s *Session) crashed(event *cdp.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.replacing
	if r == nil {
		s.cancel(ErrCrashed)
		return
	}
	var target proto.TargetTargetCrashed
	if event.Method != target.ProtoEvent() || json.Unmarshal(event.Params, &target) != nil || slices.Contains(r.fallen, target.TargetID) {
		return
	}
	r.fallen = append(r.fallen, target.TargetID)
	if target.TargetID == r.hung {
		close(r.gone)
	}
}
