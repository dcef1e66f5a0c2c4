package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rushgate/rushgate/client"
)

// A client that connects again resumes its TLS session, unless the program has to see the certificate each time.
func TestTLSSessionIsResumed(t *testing.T) {
	var resumed []bool
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resumed = append(resumed, r.TLS.DidResume)
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	checked := 0
	for want, config := range map[bool]*tls.Config{
		true: {RootCAs: roots},
		false: {RootCAs: roots, VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error {
			checked++
			return nil
		}},
	} {
		resumed = nil
		http.DefaultTransport = &http.Transport{TLSClientConfig: config}
		c, err := client.New(s.URL, client.Options{MaxRetries: -1})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := c.Login(t.Context(), "alice", "correct horse"); err == nil {
				t.Error("logged in")
			}
		}
		if len(resumed) != 3 || resumed[0] || resumed[1] != want || resumed[2] != want {
			t.Errorf("resumed %v, want %v from the second connection on", resumed, want)
		}
	}
	if checked != 3 {
		t.Errorf("the certificate was checked %d times, want 3", checked)
	}
}
