//go:build unix

package redistest

import "syscall"

// Suspend stops the server without ending it: connections stay open and nothing is answered, until [Server.Resume].
// Where processes cannot be suspended it skips the test.
func (s *Server) Suspend() { s.signal(syscall.SIGSTOP) }

// Resume undoes [Server.Suspend].
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.tb.Helper()
	if err := s.process.Process.Signal(sig); err != nil {
		s.tb.Fatal(err)
	}
}
