package run

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/rushgate/rushgate/internal/opaqueclient"
	"github.com/rushgate/rushgate/internal/stress/report"
)

var resolver = net.DefaultResolver

// knockAccount returns the name of the i-th account that knocks log in to.
func knockAccount(prefix string, i int) string { return account(prefix+"-knock", i) }

// knockDigits is how long the number of a knock is: all are of one length.
const knockDigits = 7

// newKnockRequest returns what makes requests for a flood: byte by byte as large as those of a Go client that does not
// wait in line, each with a name of its own or one of the accounts registered before. It allocates nothing where dst
// has room.
func newKnockRequest(cfg *Config, u *url.URL, random func() float64) (func(dst []byte, n int) []byte, error) {
	if cfg.Knocks.Mode == report.Opaque {
		return newBeginRequest(cfg, u, random)
	}
	const blank = "0000000"
	// Runs are told apart by three letters, so that one need not be cleaned up after before the next.
	letters := strconv.FormatInt(36*36+int64(random()*35*36*36), 36)
	name, path, end := fmt.Sprintf("%s-%s%s", cfg.Prefix, letters, blank), "/v1/register", "}"
	login := cfg.Knocks.Mode == report.Login
	if login {
		name, path, end = knockAccount(cfg.Prefix, 0), "/v1/login", `,"takeover":true}`
	}
	password, err := json.Marshal(cfg.Password)
	if err != nil {
		return nil, err
	}
	body := fmt.Sprintf(`{"username":"%s","password":%s,"attempt_id":"%s%s"%s`, name, password,
		"knock-of-a-flood"+letters, blank, end)
	request := knockOf(u, path, body)
	nameEnds := strings.Index(request, name) + len(name)
	attemptEnds := strings.LastIndex(request, blank) + len(blank)
	return func(dst []byte, n int) []byte {
		from := len(dst)
		dst = append(dst, request...)
		number, digits := n, knockDigits
		if login {
			number, digits = n%knockAccounts+1, 6
		}
		putDigits(dst[from+nameEnds-digits:from+nameEnds], number)
		putDigits(dst[from+attemptEnds-knockDigits:from+attemptEnds], n)
		return dst
	}, nil
}

// newBeginRequest is newKnockRequest for knocks that begin a login by OPAQUE, of names that no account has, and of
// which nothing more is heard. They have one message for all, which is good: a node looks at it if it has time for
// that.
func newBeginRequest(cfg *Config, u *url.URL, random func() float64) (func(dst []byte, n int) []byte, error) {
	_, ke1, err := opaqueclient.Login(cfg.Password)
	if err != nil {
		return nil, fmt.Errorf("stress: %w", err)
	}
	letters := strconv.FormatInt(36*36+int64(random()*35*36*36), 36)
	name := fmt.Sprintf("%s-%s%0*d", cfg.Prefix, letters, knockDigits, 0)
	request := knockOf(u, "/v1/opaque/login/start", fmt.Sprintf(`{"username":"%s","ke1":"%s"}`, name, encode(ke1)))
	end := strings.Index(request, name) + len(name)
	return func(dst []byte, n int) []byte {
		from := len(dst)
		dst = append(dst, request...)
		putDigits(dst[from+end-knockDigits:from+end], n)
		return dst
	}, nil
}

// knockOf returns a request with a body as a Go client sends it.
func knockOf(u *url.URL, path, body string) string {
	return fmt.Sprintf("POST %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: %d\r\n"+
		"Accept: application/json\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n%s",
		strings.TrimRight(u.EscapedPath(), "/"), path, u.Host, len(body), body)
}

// putDigits writes a number over all of b, with leading zeros.
func putDigits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = '0' + byte(n%10)
		n /= 10
	}
}
