package redis

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// scripted is a connection on which a server says what a test has it say, piece by piece.
type scripted struct {
	net.Conn
	says io.Reader
}

func (s *scripted) Read(p []byte) (int, error)  { return s.says.Read(p) }
func (s *scripted) Write(p []byte) (int, error) { return len(p), nil }

// hear returns what a guard passes on of what a server says after so many commands.
func hear(commands int, says io.Reader) (string, error) {
	g := newGuard(&scripted{says: says})
	for range commands {
		if _, err := g.Write([]byte("*1\r\n$4\r\nPING\r\n")); err != nil {
			return "", err
		}
	}
	heard, err := io.ReadAll(g)
	return string(heard), err
}

// whole answers, as servers give them to this package.
var answersOfServers = []string{
	"+OK\r\n", "-ERR unknown command\r\n", "-MOVED 3999 127.0.0.1:6381\r\n", ":12\r\n", ":-1\r\n", "_\r\n", "$-1\r\n",
	"*-1\r\n", "$0\r\n\r\n", "$5\r\nhe\r\no\r\n", "*0\r\n", "*2\r\n$2\r\nin\r\n*2\r\n:1\r\n$-1\r\n", "#t\r\n", ",1.5\r\n",
	"%2\r\n$5\r\nproto\r\n:3\r\n$4\r\nmode\r\n+standalone\r\n", "~1\r\n+a\r\n", "=15\r\ntxt:Some string\r\n",
	"(3492890328409238509324850943850943825024385\r\n", "*1\r\n-ERR inside\r\n", "%0\r\n",
}

func TestGuardPassesAnswersOn(t *testing.T) {
	all := strings.Join(answersOfServers, "")
	for name, says := range map[string]io.Reader{
		"at once":       strings.NewReader(all),
		"byte for byte": iotest.OneByteReader(strings.NewReader(all)),
		"in halves":     iotest.HalfReader(strings.NewReader(all)),
		"with the end":  iotest.DataErrReader(strings.NewReader(all)),
	} {
		if heard, err := hear(len(answersOfServers), says); heard != all || err != nil {
			t.Errorf("%s: heard %q, %v", name, heard, err)
		}
	}
}

// What stands at an address, if it is no Redis, has no way to the client behind its first line.
func TestGuardStopsWhatIsNoAnswer(t *testing.T) {
	const before = "+OK\r\n"
	for _, says := range []string{
		"HTTP/1.1 400 Bad Request\r\n", "SSH-2.0-OpenSSH_9.2p1\r\n", "220 mail.example.org ESMTP\r\n", "<html>\n",
		"\x15\x03\x01",
		"$abc\r\n", "$\r\n", "*many\r\n", ":\r\n", ":1.5\r\n", ":+1\r\n", "#yes\r\n", "_null\r\n", "+OK\n", "-ERR\n",
		"$2\r\nabc\r\n", "$67108865\r\n", "*1048577\r\n", "%1048576\r\n", "+" + strings.Repeat("a", maxLine) + "\r\n",
		strings.Repeat("*1\r\n", maxDepth+1),
		">2\r\n+message\r\n+text\r\n", "|1\r\n+ttl\r\n:3600\r\n", "!3\r\nERR\r\n", "\r\n", "\n", "\x00",
	} {
		all := before + says
		for name, r := range map[string]io.Reader{
			"at once": strings.NewReader(all), "byte for byte": iotest.OneByteReader(strings.NewReader(all)),
		} {
			heard, err := hear(2, r)
			if !errors.Is(err, errFrame) || !strings.HasPrefix(all, heard) || !strings.HasPrefix(heard, before) {
				t.Errorf("%.40q %s: heard %.40q, %v; want %v", says, name, heard, err, errFrame)
			}
		}
	}
}

// A server that speaks first, as one that has no room for a client, is not heard; what it says is in the error.
func TestGuardStopsWhatNobodyHasAskedFor(t *testing.T) {
	for says, want := range map[string]string{
		"220 mail.example.org ESMTP\r\n":      "",
		"-ERR no room for another client\r\n": "no room for another client",
	} {
		heard, err := hear(0, strings.NewReader(says))
		if heard != "" || !errors.Is(err, errUnasked) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: heard %q, %v", says, heard, err)
		}
	}
}

// The connection to a server that cannot do its work ends, after what it was asked before has been answered.
func TestGuardLeavesAServerThatCannotDoItsWork(t *testing.T) {
	refusal, answer := "-READONLY You can't write against a read only replica.\r\n", "$1\r\na\r\n"
	for _, tt := range []struct {
		commands int
		says     string
		heard    string
	}{
		{1, refusal, refusal},
		{3, refusal + answer + refusal, refusal + answer + refusal},
		{2, answer + refusal, answer + refusal},
	} {
		for _, says := range []io.Reader{strings.NewReader(tt.says), iotest.OneByteReader(strings.NewReader(tt.says))} {
			if heard, err := hear(tt.commands, says); heard != tt.heard || !errors.Is(err, errUnfit) {
				t.Errorf("%d commands, %q: heard %q, %v", tt.commands, tt.says, heard, err)
			}
		}
	}
	for says, want := range map[string]bool{
		"READONLY You can't write against a read only replica. script: 3b, on @user_script:5.":       true,
		"ERR Error running script (call to f_3b): @user_script:5: -READONLY You can't write against": true,
		"LOADING Redis is loading the dataset in memory":                                             true,
		"MASTERDOWN Link with MASTER is down":                                                        true,
		"MISCONF Errors writing to the AOF file: No space left on device":                            true,
		"OOM command not allowed when used memory > 'maxmemory'.":                                    true,
		"NOREPLICAS Not enough good replicas to write.":                                              true,
		"NOAUTH Authentication required.":                                                            true,
		"NOPERM User default has no permissions to run the 'config|get' command":                     false,
		"ERR This instance has cluster support disabled":                                             false,
		"WRONGTYPE Operation against a key holding the wrong kind of value":                          false,
		"NOSCRIPT No matching script.":                                                               false,
		"MOVED 1 127.0.0.1:1":                                                                        false,
		"":                                                                                           false,
	} {
		if isUnfit(says) != want {
			t.Errorf("%s: unfit %v, want %v", says, !want, want)
		}
	}
}

// FuzzFrames compares the frames that are found in pieces with those that a plain reader finds in the whole.
func FuzzFrames(f *testing.F) {
	for _, a := range answersOfServers {
		f.Add([]byte(a), uint8(1))
		f.Add([]byte(a+a), uint8(7))
	}
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n"), uint8(3))
	f.Fuzz(func(t *testing.T, says []byte, size uint8) {
		ended, kept := 0, 0
		fr := &frames{begins: func() error { return nil }, ends: func([]byte) error { ended++; return nil }}
		var err error
		for kept < len(says) && err == nil {
			var n int
			n, err = fr.feed(says[kept:min(kept+1+int(size), len(says))])
			kept += n
		}
		between := err == nil && len(fr.line) == 0 && len(fr.left) == 0 && fr.text == 0 && fr.end == 0
		count, whole := countMessages(string(says))
		if between != whole || whole && count != ended {
			t.Errorf("%q: %d messages, whole %v, %v; want %d, %v", says, ended, between, err, count, whole)
		}
		if len(fr.line) > maxLine || cap(fr.left) > 2*maxDepth || fr.text > maxText {
			t.Errorf("%q: keeps %d bytes, %d arrays, %d of text", says, len(fr.line), cap(fr.left), fr.text)
		}
	})
}

// countMessages returns how many messages there are if there is nothing else.
func countMessages(s string) (count int, whole bool) {
	for ; s != ""; count++ {
		elements := 0
		if s, whole = cutValue(s, 0, &elements); !whole {
			return count, false
		}
	}
	return count, true
}

// cutValue removes one value from the front.
func cutValue(s string, depth int, elements *int) (rest string, ok bool) {
	line, rest, ok := strings.Cut(s, "\n")
	line, ended := strings.CutSuffix(line, "\r")
	if !ok || !ended || line == "" || len(line)+2 > maxLine {
		return "", false
	}
	n, err := strconv.Atoi(line[1:])
	length := line[1:] == "-1" || err == nil && line[1] >= '0' && line[1] <= '9'
	switch line[0] {
	case '+', ',', '(':
		return rest, true
	case '-':
		return rest, isErrorLine(line[1:])
	case ':':
		_, err := strconv.ParseInt(line[1:], 10, 64)
		return rest, err == nil && line[1] != '+'
	case '_':
		return rest, line == "_"
	case '#':
		return rest, line == "#t" || line == "#f"
	case '$', '=':
		if !length || n > maxText || n >= 0 && (len(rest) < n+2 || rest[n:n+2] != "\r\n") {
			return "", false
		}
		if n < 0 {
			return rest, true
		}
		return rest[n+2:], true
	case '*', '~', '%':
		if line[0] == '%' && n > 0 {
			n *= 2
		}
		if *elements += max(n, 0); !length || depth == maxDepth || *elements > maxElements {
			return "", false
		}
		for ; n > 0; n-- {
			if rest, ok = cutValue(rest, depth+1, elements); !ok {
				return "", false
			}
		}
		return rest, true
	}
	return "", false
}
