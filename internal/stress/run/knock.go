package run

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

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
	request := fmt.Sprintf("POST %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: %d\r\n"+
		"Accept: application/json\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n%s",
		strings.TrimRight(u.EscapedPath(), "/"), path, u.Host, len(body), body)
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

// putDigits writes a number over all of b, with leading zeros.
func putDigits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = '0' + byte(n%10)
		n /= 10
	}
}
