package netcode

import "time"

// pausing is one pause of a server.
type pausing struct {
	stands chan struct{} // closed by the server's goroutine when it has come to rest
	over   chan struct{} // closed by Resume
}

// Pause has the server stand still. When it returns, the server's goroutine has handled what it had read, and neither
// reads nor sends nor calls the Handler until Resume; that takes up to 100 ms, and as long as a call of the Handler
// blocks. Datagrams that arrive meanwhile wait in the socket. No time passes for timeouts. A Batch sends all the same:
// its users are to be stopped apart.
//
// A server that has not been started, or has been stopped, stands still already; started while paused, it begins
// paused. Pause is idempotent, and must not be called by the Handler.
func (s *Server) Pause() {
	s.mu.Lock()
	p := s.pausing.Load()
	if p == nil {
		p = &pausing{stands: make(chan struct{}), over: make(chan struct{})}
		s.pausing.Store(p)
	}
	running := s.started
	s.mu.Unlock()
	if !running {
		return
	}
	select {
	case <-p.stands:
	case <-s.done:
	}
}

// Resume ends what Pause began. It is idempotent.
func (s *Server) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pausing.Load(); p != nil {
		s.moved.Store(false)
		s.pausing.Store(nil)
		close(p.over)
	}
}

// goesOn has the server's goroutine stand still for as long as that is asked for, and reports whether it is to go on
// then, or the server is stopped.
func (s *Server) goesOn() bool {
	for p := s.pausing.Load(); p != nil && !s.stopping(); p = s.pausing.Load() {
		s.kick()
		_ = s.out.flush() // a Conn that has failed altogether fails the next read too
		close(p.stands)
		select {
		case <-p.over:
		case <-s.stop:
		}
		s.now = time.Now() // what has passed meanwhile is no silence
		s.nextPass = s.now.Add(passInterval)
	}
	return !s.stopping()
}

// standing reports whether the server stands still. The caller has locked mu, so that it stays so.
func (s *Server) standing() bool {
	p := s.pausing.Load()
	if p == nil || s.stopped {
		return false
	}
	if !s.started {
		return true
	}
	select {
	case <-p.stands:
		return true
	default:
		return false
	}
}
