//go:build !unix

package redistest

// Suspend skips the test: processes cannot be suspended here.
func (s *Server) Suspend() { s.tb.Skip("processes cannot be suspended here") }

// Resume undoes Suspend.
func (s *Server) Resume() {}
