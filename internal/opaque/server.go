package opaque

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// DefaultLife is for how long a state is good: a client computes an Argon2id meanwhile, perhaps on an old phone.
	DefaultLife = time.Minute
	// MaxLife bounds it.
	MaxLife = 10 * time.Minute
	// DefaultMaxUsed is how many used states a server remembers, for 4,000 logins a second at DefaultLife.
	DefaultMaxUsed = 1 << 19
)

// Config is what a [Server] goes by.
type Config struct {
	// Keys may be replaced later, see [Server.SetKeys].
	Keys *Keys
	// Life is for how long a state is good, up to MaxLife; 0 means DefaultLife.
	Life time.Duration
	// Used remembers used states. It has to be made for at least Life. Nil means one for DefaultMaxUsed.
	Used *Used
	// Now tells the time; nil means time.Now. Nodes that take each other's states need clocks that agree by much less
	// than Life.
	Now func() time.Time
	// Random is read for nonces and key shares, by many goroutines; nil means crypto/rand.Reader.
	Random io.Reader
	// Panicked is called with the stack of a call that panicked, before the call returns ErrPanic: to be counted and
	// logged. The value of the panic is dropped, since it may hold what is secret. Nil means that nobody wants to know.
	Panicked func(stack []byte)
}

// Server answers clients. It may be used by many goroutines, and does nothing on its own.
type Server struct {
	cfg  Config
	keys atomic.Pointer[Keys]
}

// NewServer returns a server. The error says what is wrong with the configuration.
func NewServer(cfg Config) (*Server, error) {
	switch {
	case cfg.Life == 0:
		cfg.Life = DefaultLife
	case cfg.Life < 0 || cfg.Life > MaxLife:
		return nil, fmt.Errorf("opaque: a life of %v is not between 0 and %v", cfg.Life, MaxLife)
	}
	if cfg.Keys == nil {
		return nil, errors.New("opaque: no keys")
	}
	if cfg.Used == nil {
		cfg.Used = NewUsed(cfg.Life, DefaultMaxUsed)
	}
	if cfg.Used.life < cfg.Life {
		return nil, fmt.Errorf("opaque: used states are remembered for %v, and live for %v", cfg.Used.life, cfg.Life)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	s := &Server{cfg: cfg}
	s.keys.Store(cfg.Keys)
	return s, nil
}

// SetKeys replaces the keys. States and records that were made with a key which is not among the new ones are refused
// with [ErrUnknownKey].
func (s *Server) SetKeys(k *Keys) { s.keys.Store(k) }

// Keys returns the keys that the server goes by.
func (s *Server) Keys() *Keys { return s.keys.Load() }

// RegisterStart answers a client's request to register, or to replace the record, of [RequestSize] bytes. The name is
// what the server knows the account by: it has to be given to each login of the same account, byte for byte, and to be
// no other account's. The state comes back with what is to be kept. The error is [ErrMalformed], [ErrName], [ErrPanic],
// or one of Random.
func (s *Server) RegisterStart(name string, request []byte) (response, state []byte, err error) {
	defer s.recovered(&err)
	if err := checkName(name); err != nil {
		return nil, nil, err
	}
	k := s.keys.Load().current()
	if response, err = k.register(name, request); err != nil {
		return nil, nil, err
	}
	if state, err = s.newState(k, name, nil, PurposeRegister); err != nil {
		return nil, nil, err
	}
	return response, state, nil
}

// RegisterFinish checks what a client uploads at the end of a registration, of [UploadSize] bytes, and returns the name
// that it was begun for, and the record to be kept. That the client knows a password has not been shown to anybody, and
// need not be: it is the one who is registered. The error is [ErrMalformed], [ErrBadState], [ErrUnknownKey],
// [ErrExpired], [ErrUsed], [ErrFull] or [ErrPanic].
func (s *Server) RegisterFinish(state, upload []byte) (name string, record Record, err error) {
	defer s.recovered(&err)
	opened, id, k, err := s.open(state, PurposeRegister)
	if err != nil {
		return "", Record{}, err
	}
	if record, err = newRecord(k.id, upload); err != nil {
		return "", Record{}, err
	}
	if err := s.cfg.Used.Take(id, s.cfg.Now()); err != nil {
		return "", Record{}, err
	}
	return opened.name, record, nil
}

// LoginStart answers a KE1 with a KE2 and a state, which comes back with the KE3. Without a record (nil) it answers for
// a name that has no account: the client cannot tell, by the time it takes neither. The error is [ErrMalformed],
// [ErrName], [ErrUnknownKey] or [ErrBadRecord] for records that are of no use here, [ErrPanic], or one of Random.
//
// What the client does not tell is whether it knows the password: see the package comment.
func (s *Server) LoginStart(name string, record *Record, ke1 []byte, p Purpose) (ke2, state []byte, err error) {
	defer s.recovered(&err)
	if err := checkName(name); err != nil {
		return nil, nil, err
	}
	if p == PurposeRegister { // its states are read in another way
		return nil, nil, errors.New("opaque: a login whose purpose is to register")
	}
	keys := s.keys.Load()
	k := keys.current()
	upload := k.fake(name) // in any case, so that names with a record take as long
	if record != nil {
		if k = keys.find(record.key); k == nil {
			return nil, nil, ErrUnknownKey
		}
		upload = &record.upload
	}
	var c chance
	for _, b := range [][]byte{c.keyShareSeed[:], c.serverNonce[:], c.maskingNonce[:]} {
		if _, err := io.ReadFull(s.cfg.Random, b); err != nil {
			return nil, nil, fmt.Errorf("opaque: %w", err)
		}
	}
	a, err := k.login(name, upload, ke1, &c)
	if err != nil {
		return nil, nil, err
	}
	with := (Record{k.id, *upload}).fingerprint()
	proof := append(append(with[:], a.clientMAC...), a.sessionKey...)
	if state, err = s.newState(keys.current(), name, proof, p); err != nil {
		return nil, nil, err
	}
	return a.ke2, state, nil
}

// Pending is a login that has begun and was not proved yet. It is for one goroutine.
type Pending struct {
	// Name is what the login was begun for.
	Name string
	// ID and Expires are those of the state.
	ID      StateID
	Expires time.Time

	proof []byte
}

// Format writes nothing of a login, whatever the verb is.
func (Pending) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "a login of OPAQUE") }

// LogValue returns nothing of a login.
func (Pending) LogValue() slog.Value { return slog.StringValue("a login of OPAQUE") }

// LoginOpen opens the state of a login, without using it up, so that the account can be loaded. It takes a few
// microseconds. The error is [ErrBadState], [ErrUnknownKey], [ErrExpired] or [ErrPanic].
func (s *Server) LoginOpen(state []byte, p Purpose) (pending *Pending, err error) {
	defer s.recovered(&err)
	if p == PurposeRegister {
		return nil, ErrBadState
	}
	opened, id, _, err := s.open(state, p)
	if err != nil {
		return nil, err
	}
	return &Pending{Name: opened.name, ID: id, Expires: opened.expires, proof: opened.proof}, nil
}

// SessionKey is a key that a client and the server share. No fmt verb and no log prints it.
type SessionKey [SessionKeySize]byte

// Format writes that it is a secret.
func (SessionKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// LogValue says that it is a secret.
func (SessionKey) LogValue() slog.Value { return slog.StringValue("[secret]") }

// LoginFinish checks the KE3 of a login, and returns the session key, which the client has too. The record is what the
// account has now; nil if there is no account. The state is used up, even if the proof is wrong. The error is
// [ErrRefused] if the client does not know the password, or there is no account; [ErrChanged] if it did, and the
// account has another record by now; or [ErrMalformed], [ErrExpired], [ErrUsed], [ErrFull] or [ErrPanic].
func (s *Server) LoginFinish(l *Pending, record *Record, ke3 []byte) (key SessionKey, err error) {
	defer s.recovered(&err)
	if len(ke3) != KE3Size {
		return SessionKey{}, ErrMalformed
	}
	now := s.cfg.Now()
	if !now.Before(l.Expires) { // it may have waited since it was opened
		return SessionKey{}, ErrExpired
	}
	if err := s.cfg.Used.Take(l.ID, now); err != nil {
		return SessionKey{}, err
	}
	with, rest := l.proof[:fingerprintSize], l.proof[fingerprintSize:]
	want, session := rest[:hashSize], rest[hashSize:]
	switch {
	case subtle.ConstantTimeCompare(want, ke3) != 1 || record == nil:
		return SessionKey{}, ErrRefused
	case record.fingerprint() != [fingerprintSize]byte(with):
		return SessionKey{}, ErrChanged
	}
	return SessionKey(session), nil
}

// newState seals a new state.
func (s *Server) newState(k *key, name string, proof []byte, p Purpose) ([]byte, error) {
	var id StateID
	if _, err := io.ReadFull(s.cfg.Random, id[:]); err != nil {
		return nil, fmt.Errorf("opaque: %w", err)
	}
	return k.sealState(&state{expires: s.cfg.Now().Add(s.cfg.Life), proof: proof, name: name}, &id, p), nil
}

// open opens a state that has not expired.
func (s *Server) open(sealed []byte, p Purpose) (*state, StateID, *key, error) {
	opened, id, k, err := s.keys.Load().openState(sealed, p)
	if err == nil && !s.cfg.Now().Before(opened.expires) {
		err = ErrExpired
	}
	return opened, id, k, err
}

func (s *Server) recovered(err *error) {
	if recover() == nil {
		return
	}
	if s.cfg.Panicked != nil {
		s.cfg.Panicked(debug.Stack())
	}
	*err = ErrPanic
}

func checkName(name string) error {
	if name == "" || len(name) > MaxName {
		return ErrName
	}
	return nil
}
