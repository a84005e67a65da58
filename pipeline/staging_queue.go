package pipeline

// staging keeps one report at a time while the next is on its way. It is used by one goroutine.
type staging struct {
	pending chan error
	failed  error
}

// begin keeps something in a goroutine of its own, which wait waits for.
func (s *staging) begin(keep func() error) {
	pending := make(chan error, 1)
	s.pending = pending
	go func() { pending <- keep() }()
}

// wait returns when everything is kept, or with what went wrong, then and ever after.
func (s *staging) wait() error {
	if s.pending != nil {
		s.failed = <-s.pending
		s.pending = nil
	}
	return s.failed
}
