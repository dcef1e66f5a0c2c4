package opaqueclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/bytemare/opaque"
)

// Sizes of what a server sends, in bytes, and the greatest of a password.
const (
	ResponseSize = 64
	KE2Size      = 320
	MaxPassword  = 4096
)

// The errors of this package, to be matched with errors.Is, beside those of a context. None holds a part of a
// password, message or key.
var (
	// ErrPassword is for a password that is empty or longer than [MaxPassword].
	ErrPassword = errors.New("opaque: a password of no or too many bytes")
	// ErrMalformed is for an answer that no server gives which keeps to the protocol.
	ErrMalformed = errors.New("opaque: malformed answer of the server")
	// ErrRefused is for a KE2 that the password does not open: it is the wrong one, there is no such account, or the
	// server is not the one that the account was registered with.
	ErrRefused = errors.New("opaque: the password does not open the answer")
	// ErrCost is for an [Options].Cost that no Argon2id can have.
	ErrCost = errors.New("opaque: there is no Argon2id of that cost")
	// ErrDone is for a Finish that was called before.
	ErrDone = errors.New("opaque: finished already")
	// ErrPanic is for a panic in the library, which was recovered.
	ErrPanic = errors.New("opaque: a panic, recovered")
)

// The salt and the length of what comes out of Argon2id are those of opaque-ke.
const (
	saltSize  = 16
	stretched = 64
)

// protocol is what the library is told to do: the same for all, but for the vectors of the RFC.
type protocol struct {
	conf  *opaque.Configuration
	extra *opaque.ClientOptions // in place of any stretching
}

func usual() *protocol { return &protocol{conf: opaque.DefaultConfiguration()} }

// stretching returns what the library is told about the stretching of a password.
func (p *protocol) stretching(c Cost) (*opaque.ClientOptions, error) {
	if p.extra != nil {
		return p.extra, nil
	}
	if c == (Cost{}) {
		c = usualCost
	}
	if c.Passes < 1 || c.Lanes < 1 || c.Lanes > 255 || c.Memory < 8*c.Lanes || c.Memory > maxMemory {
		return nil, ErrCost
	}
	return &opaque.ClientOptions{
		KSFSalt: make([]byte, saltSize), KSFLength: stretched,
		KSFParameters: []uint64{uint64(c.Passes), uint64(c.Memory), uint64(c.Lanes)},
	}, nil
}

// Registration is a registration under way. It is for one goroutine.
type Registration struct{ half }

// half is what registrations and logins have in common.
type half struct {
	p      *protocol
	client *opaque.Client // nil when finished
}

func begin(p *protocol, password string) (half, error) {
	if password == "" || len(password) > MaxPassword {
		return half{}, ErrPassword
	}
	client, err := p.conf.Client()
	return half{p: p, client: client}, err
}

// Register begins a registration and returns the request for the server. The error is [ErrPassword] or [ErrPanic].
func Register(password string) (*Registration, []byte, error) { return usual().register(password) }

func (p *protocol) register(password string, o ...*opaque.ClientOptions) (r *Registration, request []byte, err error) {
	defer recovered(&err)
	h, err := begin(p, password)
	if err != nil {
		return nil, nil, err
	}
	m, err := h.client.RegistrationInit([]byte(password), o...)
	if err != nil {
		return nil, nil, err
	}
	return &Registration{h}, m.Serialize(), nil
}

// Finish takes the server's response and returns what it is to keep. It waits for one of [Options].Slots and then
// computes for a quarter of a second to a few seconds. The error is [ErrMalformed], [ErrCost], [ErrDone],
// [ErrPanic] or the context's.
func (r *Registration) Finish(ctx context.Context, response []byte, o Options) (upload []byte, err error) {
	client, stretch, err := r.finish(response, ResponseSize, o.Cost)
	if err != nil {
		return nil, err
	}
	return inSlot(ctx, o, client, func() ([]byte, error) {
		m, err := client.Deserialize.RegistrationResponse(response)
		if err != nil {
			return nil, ErrMalformed
		}
		record, _, err := client.RegistrationFinalize(m, nil, nil, stretch)
		if err != nil {
			return nil, ErrMalformed
		}
		return record.Serialize(), nil
	})
}

// LoginAttempt is a login under way. It is for one goroutine.
type LoginAttempt struct{ half }

// Login begins a login and returns KE1 for the server. The error is [ErrPassword] or [ErrPanic].
func Login(password string) (*LoginAttempt, []byte, error) { return usual().login(password) }

func (p *protocol) login(password string, o ...*opaque.ClientOptions) (l *LoginAttempt, ke1 []byte, err error) {
	defer recovered(&err)
	h, err := begin(p, password)
	if err != nil {
		return nil, nil, err
	}
	m, err := h.client.GenerateKE1([]byte(password), o...)
	if err != nil {
		return nil, nil, err
	}
	return &LoginAttempt{h}, m.Serialize(), nil
}

// Proof is what a client has when the password was right.
type Proof struct {
	// KE3 is for the server.
	KE3 []byte
	// SessionKey is what both have then, and ExportKey what only this client has, always the same for the same
	// registration. Both are secrets of 64 bytes.
	SessionKey, ExportKey []byte
}

// Format writes that it is a secret.
func (Proof) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// LogValue says that it is a secret.
func (Proof) LogValue() slog.Value { return slog.StringValue("[secret]") }

// Finish takes the server's KE2 and returns the proof. It waits for one of [Options].Slots and then computes for a
// quarter of a second to a few seconds. The error is [ErrRefused], [ErrMalformed], [ErrCost], [ErrDone],
// [ErrPanic] or the context's.
func (l *LoginAttempt) Finish(ctx context.Context, ke2 []byte, o Options) (Proof, error) {
	client, stretch, err := l.finish(ke2, KE2Size, o.Cost)
	if err != nil {
		return Proof{}, err
	}
	return inSlot(ctx, o, client, func() (Proof, error) {
		m, err := client.Deserialize.KE2(ke2)
		if err != nil {
			return Proof{}, ErrMalformed
		}
		ke3, sessionKey, exportKey, err := client.GenerateKE3(m, nil, nil, stretch)
		if err != nil {
			return Proof{}, ErrRefused
		}
		return Proof{KE3: ke3.Serialize(), SessionKey: sessionKey, ExportKey: exportKey}, nil
	})
}

// finish takes the client out, once, and checks what is to be computed with it.
func (h *half) finish(answer []byte, size int, c Cost) (*opaque.Client, *opaque.ClientOptions, error) {
	client := h.client
	if h.client = nil; client == nil {
		return nil, nil, ErrDone
	}
	stretch, err := h.p.stretching(c)
	if len(answer) != size {
		err = ErrMalformed
	}
	if err != nil {
		client.ClearState()
		return nil, nil, err
	}
	return client, stretch, nil
}

func recovered(err *error) {
	if recover() != nil { // what it holds may be the password
		*err = ErrPanic
	}
}
