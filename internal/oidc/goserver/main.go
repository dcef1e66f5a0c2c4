// Command goserver is an OpenID provider that others have written, github.com/zitadel/oidc, as a test needs it: with
// the users, the pages and the store of its own example. Its argument is where browsers are sent back to. It prints its
// issuer, changes its key for each line that it reads, saying so, and ends with its standard input.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(redirect string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	issuer := "http://" + l.Addr().String()
	storage.RegisterClients(
		storage.WebClient("web", "secret of the web", redirect), storage.NativeClient("native", redirect))
	s := &rotating{Storage: storage.NewStorage(storage.NewUserStore(issuer))}
	if err := s.rotate(); err != nil {
		return err
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	handler := exampleop.SetupServer(issuer, s, quiet, false, op.WithAllowInsecure())
	go func() { log.Fatal(http.Serve(l, handler)) }()
	fmt.Println(issuer)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := s.rotate(); err != nil {
			return err
		}
		fmt.Println("rotated")
	}
	return nil
}

// rotating is the example's store with a key that changes: that is the operator's to do, and the example has one.
type rotating struct {
	*storage.Storage
	mu  sync.Mutex
	id  int
	key *rsa.PrivateKey
}

func (s *rotating) rotate() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id, s.key = s.id+1, key
	return nil
}

func (s *rotating) now() signingKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return signingKey{strconv.Itoa(s.id), s.key}
}

// SigningKey returns the key of now.
func (s *rotating) SigningKey(context.Context) (op.SigningKey, error) { return s.now(), nil }

// KeySet returns it, too, and none of those before.
func (s *rotating) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{publicKey{s.now()}}, nil
}

type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Key() any                                    { return k.key }
func (k signingKey) ID() string                                  { return k.id }

type publicKey struct{ signing signingKey }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.signing.key.PublicKey }
func (k publicKey) ID() string                         { return k.signing.id }
