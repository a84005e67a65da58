package browser

import (
	"context"
	"errors"

	"github.com/go-rod/rod"
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

// Replace opens a tab with an empty page in place of one that hangs. The renderer of the old one is killed, because a page
// whose script never ends does not close by being asked; tabs that share it end as well. Cookies stay.
func (s *Session) Replace(ctx context.Context, hung *rod.Page) (*rod.Page, error) {
	s.mu.Lock()
	s.replacing++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.replacing--
	}()
	gone := make(chan struct{})
	watching, stop := context.WithCancel(s.ctx)
	defer stop()
	var crashed []proto.TargetTargetID
	watch := s.rod.Context(watching).EachEvent(func(e *proto.TargetTargetCrashed) bool {
		crashed = append(crashed, e.TargetID)
		return e.TargetID == hung.TargetID
	})
	s.watching.Go(func() { watch(); close(gone) })
	// The crash takes the answer to the call with it.
	s.watching.Go(func() { _ = proto.PageCrash{}.Call(hung.Context(watching)) })
	select {
	case <-gone:
	case <-ctx.Done():
		return nil, s.cause(ctx, ctx.Err())
	}
	for _, id := range crashed {
		if _, err := (proto.TargetCloseTarget{TargetID: id}).Call(s.rod.Context(ctx)); err != nil {
			return nil, s.cause(ctx, err)
		}
	}
	return s.Open(ctx)
}
