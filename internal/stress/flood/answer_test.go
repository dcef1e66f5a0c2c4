package flood

import (
	"strings"
	"testing"
)

const refusal = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 48\r\n\r\n" +
	`{"reason":"server-busy","retry_after_ms":1200  }`

func TestParseAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		b      string
		ended  bool
		status int
		reason string
		done   bool
	}{
		"a refusal":                  {refusal, false, 503, "server-busy", true},
		"one with reason only":       {refusal[:strings.Index(refusal, `,"retry`)], false, 503, "server-busy", true},
		"half of a reason":           {refusal[:strings.Index(refusal, "-busy")], false, 503, "", false},
		"half of one at the end":     {refusal[:strings.Index(refusal, "-busy")], true, 503, "", true},
		"let in, the body to come":   {"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n", false, 201, "", true},
		"the head to come":           {"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n", false, 0, "", false},
		"a head that never comes":    {"HTTP/1.1 201 Created\r\n", true, 0, "", false},
		"nothing":                    {"", true, 0, "", false},
		"no HTTP":                    {"SSH-2.0-OpenSSH_9.6\r\n\r\n", true, 0, "", false},
		"a status of letters":        {"HTTP/1.1 2x1 Created\r\n\r\n", true, 0, "", false},
		"a provisional answer":       {"HTTP/1.1 100 Continue\r\n\r\n", false, 0, "", false},
		"no reason, length in lower": {"HTTP/1.1 502 Bad Gateway\r\ncontent-length:3\r\n\r\nbad", false, 502, "", true},
		"no reason, more to come":    {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nbad", false, 502, "", false},
		"no reason, in chunks": {"HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n",
			false, 502, "", true},
		"no length, no end": {"HTTP/1.1 502 Bad Gateway\r\n\r\nbad", false, 502, "", false},
		"a long reason": {"HTTP/1.1 400 Bad\r\n\r\n" + `{"reason":"` + strings.Repeat("x", 100) + `"}`, false, 400,
			strings.Repeat("x", maxReason), true},
	} {
		status, reason, done := parseAnswer([]byte(tt.b), tt.ended)
		if done != tt.done || done && (status != tt.status || string(reason) != tt.reason) {
			t.Errorf("%s: %d %q %v", name, status, reason, done)
		}
	}
	b := []byte(refusal)
	if n := testing.AllocsPerRun(100, func() { parseAnswer(b, false) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever a server sends, more of it does not take back what was known.
func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(refusal), 40)
	f.Add([]byte("HTTP/1.1 201 Created\r\n\r\nx"), 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		cut = max(0, min(cut, len(b)))
		status, reason, done := parseAnswer(b[:cut], false)
		again, same, still := parseAnswer(b, false)
		if done && (!still || again != status) {
			t.Errorf("%d %q, then %d %q %v", status, reason, again, same, still)
		}
		if done && (status < 200 || len(reason) > maxReason) {
			t.Errorf("%d %q", status, reason)
		}
	})
}
