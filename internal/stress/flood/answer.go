package flood

import (
	"bytes"
	"strconv"
)

// maxAnswer is how much of an answer is looked at.
const maxAnswer = 4096 // bytes

var (
	endOfHead  = []byte("\r\n\r\n")
	reasonMark = []byte(`"reason":"`)
	lengthMark = []byte("\r\ncontent-length:")
	lastChunk  = []byte("\r\n0\r\n\r\n")
)

// maxReason is the longest reason that is told; longer ones are cut.
const maxReason = 64 // bytes

// parseAnswer returns the status and the reason of an HTTP/1 answer, of which b has come so far. It reports whether
// that is all there is to know: of an answer that lets in the head, of any other the reason, or the whole body if
// that has none. ended says that no more will come. It allocates nothing.
func parseAnswer(b []byte, ended bool) (status int, reason []byte, done bool) {
	if len(b) < len("HTTP/1.1 200") || !bytes.HasPrefix(b, []byte("HTTP/1.")) || b[8] != ' ' {
		return 0, nil, false
	}
	for _, digit := range b[9:12] {
		if digit < '0' || digit > '9' {
			return 0, nil, false
		}
		status = 10*status + int(digit-'0')
	}
	at := bytes.Index(b, endOfHead)
	if at < 0 || status < 200 {
		return 0, nil, false
	}
	head, body := b[:at+2], b[at+len(endOfHead):]
	if status < 300 {
		return status, nil, true
	}
	if i := bytes.Index(body, reasonMark); i >= 0 {
		rest := body[i+len(reasonMark):]
		if end := bytes.IndexByte(rest, '"'); end >= 0 {
			return status, rest[:min(end, maxReason)], true
		}
	}
	n, known := contentLength(head)
	whole := ended || known && len(body) >= n || !known && bytes.HasSuffix(b, lastChunk)
	return status, nil, whole
}

// contentLength returns the length of the body that a head announces, if it does.
func contentLength(head []byte) (n int, known bool) {
	for i := 0; i+len(lengthMark) <= len(head); i++ {
		if head[i] != '\r' || !bytes.EqualFold(head[i:i+len(lengthMark)], lengthMark) {
			continue
		}
		value := head[i+len(lengthMark):]
		if end := bytes.IndexByte(value, '\r'); end >= 0 {
			value = value[:end]
		}
		n, err := strconv.Atoi(string(bytes.TrimSpace(value))) // short enough for the stack
		return n, err == nil && n >= 0
	}
	return 0, false
}
