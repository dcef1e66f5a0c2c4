package netcode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
)

func TestNewKey(t *testing.T) {
	k, err := NewKey(bytes.NewReader(pattern(make([]byte, 40), 11, 3)))
	if err != nil || k != *goldenPrivateKey() {
		t.Errorf("from a fixed source: another key, or error %v", err)
	}
	a, errA := NewKey(nil)
	b, errB := NewKey(nil)
	if errA != nil || errB != nil || a == b || a == (Key{}) {
		t.Errorf("from the default source: equal or zero keys, or errors %v, %v", errA, errB)
	}
	broken := errors.New("broken")
	if _, err := NewKey(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v, want it to wrap that of the source", err)
	}
	if _, err := NewKey(bytes.NewReader(make([]byte, 31))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("31 bytes: error %v, want io.ErrUnexpectedEOF", err)
	}
}

// secretTexts are the bytes 0xA5 and 0xB6 as the verbs of fmt show them, in lower case.
var secretTexts = []string{"a5a5", "b6b6", "165", "182", "245", "266", "10100101", "10110110", "\xa5", "\xb6", "¥", "¶",
	"paws", "trar", "u+00a5", "u+00b6", `\xa5`, `\xb6`, "a5, ", "b6, "}

// repeated returns what several bytes in a row look like.
func repeated(texts []string) (all []string) {
	for _, s := range texts {
		for _, separator := range []string{"", " ", ", ", "' '", "0x"} {
			all = append(all, strings.Join([]string{s, s, s, s}, separator))
		}
	}
	return all
}

// TestSecretsDoNotPrint prints values that hold secrets in every way that ends up in logs. All secret bytes are 0xA5
// or, in the sealed part of the token, 0xB6, so any of them shows as one of a few texts.
func TestSecretsDoNotPrint(t *testing.T) {
	var key Key
	copy(key[:], bytes.Repeat([]byte{0xA5}, len(key)))
	token := ConnectToken{ClientToServer: key, ServerToClient: key}
	copy(token.private[:], bytes.Repeat([]byte{0xB6}, len(token.private)))
	private := privateToken{clientToServer: key, serverToClient: key}
	copy(private.plain[:], key[:])

	// The digits of the time could be those of a secret.
	withoutTime := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return a
	}}
	server, client, peer := holders(t, key, &token)
	values := map[string]any{
		"key": key, "key pointer": &key, "keys": []Key{key}, "struct": struct{ K Key }{key},
		"behind a function": struct{ k func() Key }{func() Key { return key }},
		"token":             token, "token pointer": &token, "private": private, "private pointer": &private,
		"server": server, "client": client, "peer": peer, "behind a batch": server.NewBatch(),
		"behind a struct with a server": struct{ s *Server }{server},
		"behind a struct with a client": struct{ c *Client }{client},
		"behind a struct with a peer":   struct{ p *Peer }{peer}, "config": ServerConfig{Keys: []Key{key}},
	}
	for name, v := range values {
		texts := map[string]string{}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%08b"} {
			texts[verb] = fmt.Sprintf(verb, v)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%s: json: %v", name, err)
		}
		texts["json"] = string(b)
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, withoutTime)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&log, withoutTime)).Info("m", "v", v, "group", slog.GroupValue(slog.Any("v", v)))
		texts["slog"] = log.String()
		texts["error"] = fmt.Errorf("with %v", v).Error()
		secrets := secretTexts
		if strings.HasPrefix(name, "behind") { // what is printed is an address, whose digits can be anything
			secrets = repeated(secretTexts)
		}
		for how, text := range texts {
			lower := strings.ToLower(text)
			for _, secret := range secrets {
				if strings.Contains(lower, secret) {
					t.Errorf("%s: %s shows a secret: %.200q", name, how, text)
				}
			}
		}
	}
	if key.String() != redacted || key.GoString() != redacted || key.LogValue().String() != redacted {
		t.Error("a key does not name itself redacted")
	}
}

// holders returns a server that has key, and a client and a peer of a connection under the keys of token.
func holders(t *testing.T, key Key, token *ConnectToken) (*Server, *Client, *Peer) {
	t.Helper()
	s, err := NewServer(ServerConfig{
		Conn: nowhere{}, Keys: []Key{key}, Addresses: []netip.AddrPort{testServer}, MaxClients: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.handler = silentHandler{}
	s.token.clientToServer, s.token.serverToClient = token.ClientToServer, token.ServerToClient
	h := s.newHandshake(clientAddr(1), &tokenUse{})
	s.pending.put(h, s.clock)
	s.connect(h, &s.token.userData)
	return s, newClient(token, ClientOptions{}), s.slots[0]
}

// What is printed instead is of use.
func TestServerClientAndPeerNameThemselves(t *testing.T) {
	s, c, p := holders(t, testKey, issue(t, spec(1), &testKey, testRand(1)))
	for want, v := range map[string]any{
		"netcode server at 10.0.0.1:40000":       s,
		"netcode client, disconnected":           c,
		"netcode peer 0 at " + p.Addr().String(): p,
	} {
		if got := fmt.Sprintf("%v", v); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
