// Package adapter lets the load of package stress knock at servers that are not Rushgate: Nakama, Supabase Auth,
// PocketBase and Ory Kratos.
//
// [New] returns a transport for [github.com/rushgate/rushgate/client.Options]. It takes the requests of Rushgate's own
// API, carries out the public HTTP flow that the other server documents for the same purpose, and answers as Rushgate
// would. Tries, pauses, time limits and connections remain those of the client, which are then the same for every
// server: what differs between two reports is the servers.
//
// # What becomes of each request
//
// A registration makes an account with a password and opens a session, in as many requests as the server needs for
// it; a login opens one. A logout is the server's own if it has one over HTTP. GET /healthz is the server's own health
// endpoint. GET /v1/me is answered here, for as long as the player has not logged out: none of these servers has a
// session in the sense of a stay in a game, which would have to be kept open. So is a registration or login without a
// name or a password, with "missing-credentials": there is nothing to translate. Everything else is 404.
//
// An answer that means one of Rushgate's reasons becomes that reason, with the Retry-After that came with it. An answer
// that means none is passed on as its bare status, which the client takes for a bad answer. Errors of the transport are
// passed on as they are.
//
// # Names
//
// These servers know players by e-mail address, so each account NAME is NAME@[Config.Domain].
package adapter

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Kind is which server an adapter speaks to.
type Kind string

// The kinds of server.
const (
	Nakama     Kind = "nakama"     // https://heroiclabs.com/docs/nakama/
	Supabase   Kind = "supabase"   // Supabase Auth, https://github.com/supabase/auth
	PocketBase Kind = "pocketbase" // https://pocketbase.io/docs/
	Kratos     Kind = "kratos"     // Ory Kratos, https://www.ory.com/docs/kratos/
)

// Kinds returns all kinds, in the order in which help should name them.
func Kinds() []Kind { return []Kind{Nakama, Supabase, PocketBase, Kratos} }

// Defaults of [Config].
const (
	// DefaultKey is the server key with which Nakama comes.
	DefaultKey = "defaultkey"
	// DefaultDomain is below a name that is reserved for examples (RFC 2606, section 3): mail to it goes nowhere.
	DefaultDomain = "stress.example.org"
	// DefaultCollection is the collection of users with which PocketBase comes.
	DefaultCollection = "users"
)

// Config says which server to speak to and how. The zero value of each field but Kind selects its default.
type Config struct {
	// Kind is the server. Required.
	Kind Kind
	// Key is Nakama's server key, by default [DefaultKey], or the API key that the gateway of a hosted Supabase
	// project asks for, by default none; a Supabase Auth that runs by itself needs none. Other servers have no key.
	Key string
	// Domain is that of the players' e-mail addresses. Default [DefaultDomain].
	Domain string
	// Collection is PocketBase's collection of users, by name or id. Default [DefaultCollection].
	Collection string
	// OperatorToken lets an [Operator] ask PocketBase, of which it is a superuser's token. Others take none.
	OperatorToken string
}

// maxSetting bounds the settings, which go into every request.
const maxSetting = 4 << 10

// withDefaults returns the configuration with its defaults filled in, or an error that names the field at fault.
func (cfg Config) withDefaults() (Config, error) {
	if !slices.Contains(Kinds(), cfg.Kind) {
		return cfg, fmt.Errorf("adapter: Kind: %q is none of %v", cfg.Kind, Kinds())
	}
	if cfg.Key == "" && cfg.Kind == Nakama {
		cfg.Key = DefaultKey
	}
	if cfg.Domain == "" {
		cfg.Domain = DefaultDomain
	}
	if cfg.Collection == "" {
		cfg.Collection = DefaultCollection
	}
	switch {
	case cfg.Key != "" && cfg.Kind != Nakama && cfg.Kind != Supabase:
		return cfg, fmt.Errorf("adapter: Key: %s takes none", cfg.Kind)
	case cfg.Key != "" && !validToken(cfg.Key) || len(cfg.Key) > maxSetting:
		return cfg, errors.New("adapter: Key: it cannot stand in a header")
	case cfg.Kind == Nakama && strings.Contains(cfg.Key, ":"):
		return cfg, errors.New("adapter: Key: a colon would end it, as it is sent like a user name (RFC 7617)")
	case cfg.OperatorToken != "" && cfg.Kind != PocketBase:
		return cfg, fmt.Errorf("adapter: OperatorToken: %s takes none", cfg.Kind)
	case cfg.OperatorToken != "" && !validToken(cfg.OperatorToken) || len(cfg.OperatorToken) > maxSetting:
		return cfg, errors.New("adapter: OperatorToken: it cannot stand in a header")
	case !validDomain(cfg.Domain):
		return cfg, fmt.Errorf("adapter: Domain: %.80q is no domain name with a dot in it", cfg.Domain)
	case !validCollection(cfg.Collection):
		return cfg, fmt.Errorf("adapter: Collection: %.80q has other characters than A-Z, a-z, 0-9, '_' and '-'",
			cfg.Collection)
	}
	return cfg, nil
}

// validDomain accepts the domain of an e-mail address. All of the servers want a dot in it.
func validDomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return len(s) <= 180 && strings.Contains(s, ".")
}

func validCollection(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 100
}

// New returns a transport for one player, which reaches the server that cfg describes over next, or over
// [http.DefaultTransport] if that is nil. The client's base URL is that of the other server's API, path included:
// "http://127.0.0.1:9999" for a Supabase Auth that runs by itself, "https://PROJECT.supabase.co/auth/v1" for a hosted
// one.
//
// The transport may be used by several goroutines at once. It remembers the latest session and the latest attempt, so
// two players must not share one. It sends its requests one after the other and reads each answer to its end before the
// next, hence it works over a single connection. Its CloseIdleConnections is that of next, if next has one.
//
// The error names the field of cfg that is wrong.
func New(cfg Config, next http.RoundTripper) (http.RoundTripper, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if next == nil {
		next = http.DefaultTransport
	}
	t := &transport{next: next, domain: cfg.Domain}
	switch cfg.Kind {
	case Nakama:
		t.server = nakama{key: cfg.Key}
	case Supabase:
		t.server = supabase{key: cfg.Key}
	case PocketBase:
		t.server = pocketBase{collection: cfg.Collection}
	case Kratos:
		t.server = kratos{}
	}
	return t, nil
}
