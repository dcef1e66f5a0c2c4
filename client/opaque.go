package client

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/opaqueclient"
)

// Opaque says whether passwords are proved by OPAQUE (RFC 9807), in which the server never sees them.
//
// A proof takes an Argon2id over 64 MiB here, three passes in four lanes, which is a quarter of a second to a few
// seconds. It cannot be broken off: when the context of a call ends, the call returns at once, and a goroutine goes on
// with the computation until that ends by itself. Until then it holds its memory, which [Options].OpaqueMemory counts,
// so that the next proof may wait for it; it sends nothing and calls nothing, and leaves no secret behind.
//
// The libraries under it, and this package, have not been audited.
type Opaque string

// What a client, or a server, can do with OPAQUE.
const (
	// OpaqueOff is not to use it: passwords are sent.
	OpaqueOff Opaque = ""
	// OpaquePrefer is to use it where that is possible. A new account is registered by it if the server knows it. A login
	// is tried by it first; if that shows that the password is wrong or that the account has one of the old kind, which
	// look the same, the password is sent. If it was right, the account moves over at once, without the player's doing,
	// and the server drops the hash: a login that does so computes two proofs, and succeeds even if the moving over fails.
	// A wrong password counts as two tries at the server. Once this Client has seen an account proved by OPAQUE, it never
	// sends the account's password again (of the 1024 accounts that it has seen last), and an answer that the password
	// does not open is [rushgate.BadCredentials]. [Session.ByOpaque] tells, for a game that has the next run of it use
	// OpaqueOnly.
	//
	// It does not protect from a server that says it knows no OPAQUE, or no such account: that one is sent the password.
	OpaquePrefer Opaque = "prefer"
	// OpaqueOnly is never to send a password, whatever the server says. An account that has not moved over cannot be
	// logged in to: that is [rushgate.BadCredentials]. A server without OPAQUE is [ErrNoOpaque].
	OpaqueOnly Opaque = "only"
)

// OpaqueProofMemory is the memory that a proof takes while it is computed, in bytes.
const OpaqueProofMemory = 64 << 20

// ErrNoOpaque is wrapped by errors of calls that may not send the password, to a server that does not know OPAQUE.
var ErrNoOpaque = errors.New("the server does not know OPAQUE, and the password is not to be sent")

// ProofStage is how far the computation of a proof has come.
type ProofStage string

// The stages, in their order.
const (
	// ProofWaiting is for other proofs to end, see [Options].OpaqueMemory.
	ProofWaiting ProofStage = "waiting"
	// ProofComputing takes nearly all of the time. How far it is cannot be told.
	ProofComputing ProofStage = "computing"
	// ProofDone is after it, whatever came of it.
	ProofDone ProofStage = "done"
)

var proofStages = map[opaqueclient.Stage]ProofStage{
	opaqueclient.Waiting: ProofWaiting, opaqueclient.Stretching: ProofComputing, opaqueclient.Finished: ProofDone,
}

// proofs returns how proofs are computed.
func (o *Options) proofs() (opaqueclient.Options, error) {
	var p opaqueclient.Options
	switch o.Opaque {
	case OpaqueOff, OpaquePrefer, OpaqueOnly:
	default:
		return p, fmt.Errorf("client: Options.Opaque is %.20q, not prefer or only", string(o.Opaque))
	}
	if m := o.OpaqueMemory; m != 0 {
		if m < OpaqueProofMemory {
			return p, fmt.Errorf("client: Options.OpaqueMemory is %d, and a proof takes %d", m, OpaqueProofMemory)
		}
		p.Slots = opaqueclient.NewSlots(int(min(m/OpaqueProofMemory, maxProofs)))
	}
	if tell := o.OnProof; tell != nil {
		p.Progress = func(s opaqueclient.Stage) { tell(proofStages[s]) }
	}
	return p, nil
}

// maxProofs bounds how many proofs a client computes at once.
const maxProofs = 1024

// ByOpaque reports whether the account of the session is proved by OPAQUE, as far as this session has seen: it was
// opened by it, or the account has moved over since. A game may keep that for the account, and have its next Client use
// [OpaqueOnly] for it.
func (s Session) ByOpaque() bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.client.moved.has(func(a movedAccount) bool { return a.player == s.PlayerID })
}

// maxMoved bounds of how many accounts a client remembers that they are proved by OPAQUE.
const maxMoved = 1024

// movedAccount is one that was seen to be proved by OPAQUE.
type movedAccount struct {
	name   string
	player rushgate.PlayerID // 0: not known
}

// moved are such accounts, the one that was seen last at the end.
type moved []movedAccount

func (m moved) has(is func(movedAccount) bool) bool { return slices.ContainsFunc(m, is) }

// hasMoved reports whether the account of a name is known to be proved by OPAQUE.
func (c *Client) hasMoved(username string) bool {
	name := oneName(username)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.moved.has(func(a movedAccount) bool { return a.name == name })
}

// noteMoved notes that an account is proved by OPAQUE, and forgets other names of the player. The name may not be
// known, and is empty then; so may the player.
func (c *Client) noteMoved(username string, player rushgate.PlayerID) {
	a, name := movedAccount{oneName(username), player}, oneName(username)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved = slices.DeleteFunc(c.moved, func(b movedAccount) bool {
		if (name == "" || b.name != name) && (player == 0 || b.player != player) {
			return false
		}
		a.name, a.player = cmp.Or(a.name, b.name), cmp.Or(a.player, b.player)
		return true
	})
	c.moved = append(c.moved, a)
	if len(c.moved) > maxMoved {
		c.moved = slices.Delete(c.moved, 0, 1)
	}
}

// noteRenamed notes another name that the session's account has after a rename that ended so, or may have. The old one
// stays known until the player has come in by OPAQUE under the new one: a server can say what it likes of a rename.
func (s Session) noteRenamed(name string, err error) {
	done := err == nil || errors.Is(err, ErrRenamed)
	if (done || rushgate.ReasonOf(err) == rushgate.InternalError) && s.ByOpaque() {
		s.client.noteMoved(name, 0)
	}
}

// oneName returns a name as it is the same for all ways to write it.
func oneName(username string) string {
	if name, err := rushgate.LoginName(username); err == nil {
		return name
	}
	return username
}

// opaquePassword returns the form of a password that is proved: the one that would be hashed, so that it is the same
// on each device, or what comes closest to it for a password that could not be set today.
func opaquePassword(s string) (string, error) {
	canonical, exact, err := rushgate.LoginPassword(s)
	switch {
	case err != nil:
		return "", &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: err}
	case canonical != "":
		return canonical, nil
	}
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Zs, r) {
			return ' '
		}
		return r
	}, exact)), nil
}

// newOpaquePassword is opaquePassword for a password that is to be set, which the server cannot look at.
func newOpaquePassword(s, username string) (string, error) {
	password, err := rushgate.NewPassword(s, oneName(username), 0)
	if err != nil {
		return "", &rushgate.Refusal{Reason: rushgate.MissingCredentials, Cause: err}
	}
	return password, nil
}

// The errors by which a proof shows that there is none: neither is shown to a caller.
var (
	// errUnknownThere is for a server that answers as one that knows no OPAQUE.
	errUnknownThere = errors.New("there is no OPAQUE")
	// errNotOpened is for an answer that the password does not open.
	errNotOpened = errors.New("the password does not open the answer")
)

// begun is what was begun at a server and is to be finished there.
type begun struct {
	State   string
	Message string // KE3, or the upload of a registration
	key     []byte // of the session; nil for a registration
	until   time.Time
}

// put makes the request a POST of some fields and a message.
func (r *request) put(fields map[string]any, name string, message []byte) error {
	body := map[string]any{name: encode(message)}
	maps.Copy(body, fields)
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("client: %s: %w", r.op, err)
	}
	r.method, r.body = http.MethodPost, b
	return nil
}

// beginning is what a server answers that was asked to begin.
type beginning struct {
	KE2      string `json:"ke2"`
	Response string `json:"response"`
	State    string `json:"state"`
	LifeMS   int64  `json:"state_valid_ms"`
}

const (
	// maxOpaqueState is the longest state in characters that a server may give.
	maxOpaqueState = 2 << 10
	// maxOpaqueLife is the longest time that one is taken to be good for.
	maxOpaqueLife = 10 * time.Minute
)

// sender sends a request to a server: for a client without a session, or for a session.
type sender func(ctx context.Context, r *request) (answer, error)

func (c *Client) send(ctx context.Context, r *request) (answer, error) { return c.exchange(ctx, *r) }

// ask sends what begins something, and returns what the server says and what it has sent of the message, which is in
// one of the two fields.
func ask(ctx context.Context, send sender, r *request, a *Answer) (b beginning, message []byte, err error) {
	start := time.Now()
	ans, err := send(ctx, r)
	a.Latency, a.Status = a.Latency+time.Since(start), ans.status
	if err != nil {
		return b, nil, err
	}
	if ans.status == http.StatusNotFound {
		return b, nil, errUnknownThere
	}
	if err := r.decode(ans, &b, http.StatusOK); err != nil {
		return b, nil, err
	}
	message, err = base64.RawURLEncoding.DecodeString(b.KE2 + b.Response)
	if err != nil || !urlSafe(b.State, 1, maxOpaqueState) {
		return b, nil, r.bad("no beginning of OPAQUE")
	}
	return b, message, nil
}

// prove begins a proof of a password by a request to path with some more fields, and computes the rest of it.
func (c *Client) prove(ctx context.Context, send sender, r request, fields map[string]any, password string,
	a *Answer) (*begun, error) {
	login, ke1, err := opaqueclient.Login(password)
	if err != nil {
		return nil, fmt.Errorf("client: %s: %w", r.op, err)
	}
	if err := r.put(fields, "ke1", ke1); err != nil {
		return nil, err
	}
	start := time.Now()
	b, ke2, err := ask(ctx, send, &r, a)
	if err != nil {
		return nil, err
	}
	computing := time.Now()
	proof, err := login.Finish(ctx, ke2, c.proofs)
	a.Computed += time.Since(computing)
	switch {
	case errors.Is(err, opaqueclient.ErrRefused):
		return nil, errNotOpened
	case errors.Is(err, opaqueclient.ErrMalformed):
		return nil, r.bad("no KE2 of OPAQUE")
	case err != nil:
		return nil, fmt.Errorf("client: %s: %w", r.op, err)
	}
	return &begun{State: b.State, Message: encode(proof.KE3), key: proof.SessionKey, until: b.until(start)}, nil
}

// enlist begins a registration of a password, and computes the rest of it; as prove.
func (c *Client) enlist(ctx context.Context, send sender, r request, fields map[string]any, password string,
	a *Answer) (*begun, error) {
	registration, message, err := opaqueclient.Register(password)
	if err != nil {
		return nil, fmt.Errorf("client: %s: %w", r.op, err)
	}
	if err := r.put(fields, "request", message); err != nil {
		return nil, err
	}
	start := time.Now()
	b, response, err := ask(ctx, send, &r, a)
	if err != nil {
		return nil, err
	}
	computing := time.Now()
	upload, err := registration.Finish(ctx, response, c.proofs)
	a.Computed += time.Since(computing)
	switch {
	case errors.Is(err, opaqueclient.ErrMalformed):
		return nil, r.bad("no response of OPAQUE")
	case err != nil:
		return nil, fmt.Errorf("client: %s: %w", r.op, err)
	}
	return &begun{State: b.State, Message: encode(upload), until: b.until(start)}, nil
}

// until returns when what began at a time is no longer good.
func (b *beginning) until(start time.Time) time.Time { return start.Add(upTo(b.LifeMS, maxOpaqueLife)) }

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
