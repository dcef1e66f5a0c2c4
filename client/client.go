// Package client lets a game log its players in to a Rushgate server.
//
// A [Client] talks to one server. [Client.Register] and [Client.Login] open a [Session]; while the server is busy they
// wait as long as it asks for and try again, telling the game through [Options.OnWait] what to show:
//
//	c, err := client.New("https://play.example.org", client.Options{
//		OnWait: func(w client.Wait) { ui.Show(w.String()) }, // "Server is busy, retrying in 2 s (1 of 3)"
//	})
//	...
//	session, err := c.Login(ctx, name, password)
//	switch {
//	case errors.Is(err, rushgate.BadCredentials):
//		ui.Show("Wrong name or password.")
//	case errors.Is(err, rushgate.ServerBusy):
//		ui.Show(err.Error()) // "Server is too busy. Please try again later."
//	...
//	}
//	defer session.Logout(ctx)
//
// # Waiting in line
//
// A server that has no room gives the player a place in its line, and a call waits there until the turn comes, for as
// long as its context lasts: the player leaves the line by ending it. [Wait].Line says where the player stands, and
// Wait.String makes a sentence of it, so that a game that shows that already shows "You are number 1,234 in line: about
// 3 to 5 minutes." [Line.Progress] is for a bar that moves. The client asks as often as the server wants it to, of a
// document that is the same for all, or by UDP ([Options].KnockAddr), and logs in again when the turn has come.
//
// The place is the player's: it outlives drops of the network, and calls that fail for another reason, such as a
// mistyped password. It outlives the program too if the game keeps its ticket:
//
//	OnWait: func(w client.Wait) {
//		ui.Show(w.String())
//		if w.Line != nil {
//			ui.Bar(w.Line.Progress(time.Now()))
//			saved.Write(w.Line.Ticket.Text()) // for client.ParseTicket and Options.Ticket; delete it after the login
//		}
//	},
//
// # Passkeys
//
// A passkey is the browser's, or a phone's, which shows it to a page of the game; this package has none. An account
// with passkeys still has its password, and comes in here by that. Players see, add and remove passkeys on the page.
//
// # Coming back
//
// With [Options].Remember a login brings what lets the player come back on this device without a password. The game
// keeps it each time that it changes, and shows it after a start:
//
//	kept, _ := client.ParseResume(saved.Read()) // none, if that is damaged
//	c, err := client.New("https://play.example.org", client.Options{
//		Remember: "Anna's laptop",
//		Resume:   kept,
//		OnResume: func(r client.Resume) { saved.Write(r.Text()) }, // where other programs cannot read it
//	})
//	...
//	session, err := c.Resume(ctx)
//	if errors.Is(err, client.ErrNoResume) || errors.Is(err, rushgate.BadCredentials) {
//		session, err = c.Login(ctx, name, password)
//	}
//
// [Session.Logout] has the device forgotten, [Session.Leave] does not.
//
// # Guests
//
// Where the server takes guests, a player can begin without a name and a password, by a secret that the game makes
// once, and keeps:
//
//	guest, err := client.ParseGuest(saved.Read())
//	if err != nil || guest.IsZero() {
//		guest = client.NewGuest()
//		saved.Write(guest.Text()) // first, and where other programs cannot read it
//	}
//	session, err := c.Guest(ctx, guest)
//
// # Providers
//
// [Client.Providers] tells who vouches for players at the server. A game that can open a browser sends the player to
// one of them with [Client.BeginVisit], and takes with [Client.FinishVisit] what the browser comes back with; or it
// hands over what the platform has given it, by [Client.VouchIDToken] with a [Client.Nonce], [Client.VouchTicket] or
// [Client.VouchShown]. Each of these gives an [IdentityProof], which [Client.LoginWithIdentity] lets the player in by:
//
//	visit, err := c.BeginVisit(ctx, "google")
//	...
//	browser.Open(visit.URL)
//	proof, err := c.FinishVisit(ctx, visit, <-cameBack) // url.Values
//	...
//	session, err := c.LoginWithIdentity(ctx, proof)
//
// Who is inside links further identities and devices to the account with [Session.LinkIdentity] and
// [Session.LinkGuest]; a guest gets a name and a password by [Session.Upgrade], and becomes part of another account by
// [Session.Merge]. These take an [AccountProof].
//
// # Without showing the password
//
// With [Options].Opaque the client proves the password by OPAQUE (RFC 9807), and the server never sees it: it is
// stretched here, which takes a quarter of a second to a few seconds and 64 MiB. See [OpaquePrefer] and [OpaqueOnly].
//
// # Realtime
//
// [Session.Connect] opens the connection over which the game is played: [Realtime.SendIntent] says what the player
// wants, [Realtime.Views] and [Realtime.Latest] show the world, [Interpolate] moves things smoothly between two views.
// What else player and world have to say to each other goes by [Realtime.Send] and [Realtime.Messages].
// A connection over which nothing comes any more is replaced by another one without the game's doing, for as long as
// the session lasts; [Realtime.Events] tells of it. Where a network lets no UDP through, the game is played over a
// WebSocket, unless [RealtimeOptions].UDPOnly forbids it.
//
// # Errors
//
// Where the server gave a reason, the error is a [*rushgate.Refusal]; match it with errors.Is against the reasons of
// package rushgate. A reason that this version does not know is kept as it came. Register and Login return a
// [*BusyError] once their retries are used up. An answer that never came is [ErrNoAnswer], one that makes no sense
// [ErrBadAnswer]. No error contains a password or a token.
//
// # Lost answers
//
// All tries of one Register or Login carry the same attempt id, by which the server recognises a try whose answer was
// lost and returns the session it had already opened, rather than "username-taken" or "already-logged-in".
//
// # Stability
//
// This package follows semantic versioning: until v1.0.0 a minor version may change exported names, a patch version
// never, and CHANGELOG.md says which ones did. A client of today can talk to any later server under /v1, whose answers
// only grow.
package client

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/opaqueclient"
)

// Defaults of [Options].
const (
	DefaultMaxRetries  = 3
	DefaultTryTimeout  = 30 * time.Second // a server with the usual queue answers within 29 s
	DefaultBackoffBase = time.Second
	DefaultBackoffCap  = 30 * time.Second
)

// NoKnocks is the [Options].KnockAddr of clients that do not use UDP to ask for their places in the line.
const NoKnocks = "none"

// maxTLSSessions bounds of how many servers a client keeps the TLS session for the next connection.
const maxTLSSessions = 8

// Options are a [Client]'s settings. The zero value of each field selects its default.
type Options struct {
	// Transport carries the requests. Default: a copy of http.DefaultTransport with connections of its own, which resumes
	// TLS sessions; one of your own does so with a ClientSessionCache in its TLSClientConfig. It is used without an
	// http.Client around it: redirects are never followed, as they would carry the password away.
	Transport http.RoundTripper
	// MaxRetries is how many times Register and Login try again after their first try. Zero means
	// [DefaultMaxRetries], a negative number none. Waiting in the server's line is not counted, see [Client.Login]; but
	// with none a call does not wait there either: it tries once.
	MaxRetries int
	// TryTimeout is how long one try may take, from dialing to the last byte of the answer. Default
	// [DefaultTryTimeout]. It should exceed the server's --auth-max-age, 25 s unless set otherwise, by 5 s: a player whose
	// try ends earlier may have been about to get in, and goes to the end of the queue. Asking for a realtime connection,
	// which has no queue, takes 5 s at most.
	TryTimeout time.Duration
	// BackoffBase and BackoffCap bound the pause before the n-th retry (n counts from 0): a random time below
	// min(BackoffCap, BackoffBase<<n), known as full jitter, or what the server asks for if that is longer.
	// Defaults [DefaultBackoffBase] and [DefaultBackoffCap].
	BackoffBase, BackoffCap time.Duration
	// Rand returns random numbers in [0,1) for the jitter. Default math/rand/v2.Float64.
	Rand func() float64
	// AttemptID returns a new attempt id for each Register or Login: 1 to 64 characters of A-Z, a-z, 0-9, '_' and
	// '-' that no other client can guess. Default crypto/rand.Text.
	AttemptID func() string
	// OnWait, if set, is called before each pause of Register and Login, on the goroutine that called them; so it is in
	// the server's line, whenever there is something new to tell of it, and when the player's turn has come. A Realtime
	// whose player comes back without a password calls it on a goroutine of its own.
	OnWait func(Wait)
	// NoLine has the client ask for no place in the server's line, nor wait there: a server that has no room is busy, to
	// be asked again as [rushgate.Refusal].RetryAfter says. This is for programs that measure.
	NoLine bool
	// WaitForWorld has Login and Takeover wait for a seat where the server's world is full: the password is checked at
	// once, and the call then waits in the world's line as in the one before the door. Without it, or with NoLine, such a
	// server is busy. One that is older than this line is as well.
	WaitForWorld bool
	// Ticket is a place in the server's line which the game has kept, for the first Register or Login; see
	// [Line].Ticket. Default none.
	Ticket Ticket
	// KnockAddr is the host:port where the server answers knocks by UDP: that of its realtime channel. With it a client
	// asks there first, in some milliseconds and at a fraction of the cost, and logs in over HTTP only when it is told to
	// come in. Default: where the server's line names addresses, from then on. [NoKnocks] means that UDP is not used.
	//
	// UDP is a hint. Without an answer (1.75 s) the rest of the call asks over HTTP. Answers are not authenticated: a
	// machine on the way, though no other, can forge them. One that says wait delays a player until ten seconds after
	// the longest time that the server has told over HTTP, or ten minutes where it has not yet, and a client then tries
	// to log in, whatever UDP says; one that says come in costs a try; and the second that HTTP contradicts ends the
	// use of UDP for the call. A ticket that comes by UDP never takes the place of one that came over HTTP unless the
	// server refuses that one over HTTP. Neither the secret nor the password goes by UDP.
	KnockAddr string
	// Remember has the server remember this device with each Register, Login and Takeover, under this name: 1 to 64 bytes
	// of UTF-8 without control characters, such as "Anna's laptop". The player then comes back by [Client.Resume], and a
	// [Realtime] whose session is over goes on by itself. Default: it is not remembered. A server that is older than this
	// remembers none.
	Remember string
	// DeviceID is what the server knows this device by, whichever account is used on it: 1 to 64 characters of A-Z, a-z,
	// 0-9, '_' and '-'. The game chooses a random one once, such as by crypto/rand.Text, and keeps it. The server keeps no
	// more of it than a hash, by which an operator can ban the device. Default none. A server that is older than this
	// is told none.
	DeviceID string
	// Resume is what the game has kept of what OnResume has brought, for [Client.Resume]. Default none.
	Resume Resume
	// OnResume, if set, is called with what lets the player come back, each time that this changes: the game is to keep
	// its text before it returns, and to delete it for the zero value. It is called before a token is used, and before a
	// call returns the session that brings the next one, so that a program that ends at any time loses nothing. It is
	// called on the goroutine of the call, or on one of a Realtime, by one at a time, and must not call Client.Resume,
	// Session.Logout or Realtime.Close.
	OnResume func(Resume)
	// Code, if set, asks the player for a code when an account has a second factor: six digits of an authenticator app,
	// or a recovery code. Login, Takeover, Guest and LoginWithIdentity call it, and what changes the account, such as
	// Session.ChangePassword, on the goroutine that called them, once the password has proved right, and again when the
	// code was wrong, three times at most; an error ends the call, which returns it. Codes are good for half a minute or
	// so: ask when it is called, not before. Without Code the call is refused with [rushgate.SecondFactor].
	Code func(context.Context) (string, error)
	// Opaque says whether passwords are proved by OPAQUE, without being shown. Default [OpaqueOff]: they are sent.
	Opaque Opaque
	// OpaqueMemory bounds the memory in bytes of the proofs that this client computes at once, each of which takes
	// [OpaqueProofMemory]; others wait for their turn. It is the client's own to say: no server and no account can ask for
	// more. Default: one proof at a time, in all clients of the process together that do not say.
	OpaqueMemory int64
	// OnProof, if set, is called with each stage of a proof, on the goroutine of the call that needs it.
	OnProof func(ProofStage)
	// OnAnswer, if set, is called after each try of Register and Login, on the goroutine that called them.
	OnAnswer func(Answer)
}

// Client is a connection to one Rushgate server. Its methods may be called from many goroutines at once.
type Client struct {
	base string // without a slash at the end
	opts Options
	// stale is set when the connections that are kept open may be dead without anybody having noticed, as after a
	// change of networks: a request over one of them would wait in vain until its time is up.
	stale atomic.Bool

	// What tests replace: a socket for knocks, and the time of day.
	dialKnock func(ctx context.Context, addr string) (net.Conn, error)
	timeOfDay func() time.Time
	proofs    opaqueclient.Options // and what a proof costs

	resuming chan struct{} // holds one while a resume token is in use
	telling  sync.Mutex    // held while the game is told what to keep

	mu         sync.Mutex
	kept       place // of a call that has ended, for the next one
	device     device
	moved      moved
	heardAddrs []string // where the server says that it answers knocks by UDP
}

// New returns a client for the server at baseURL, such as "https://play.example.org". It does not connect yet. Plain
// http sends passwords in the clear: use it on loopback only.
//
// The error tells what is wrong with baseURL or opts.
func New(baseURL string, opts Options) (*Client, error) {
	base, err := parseBase(baseURL)
	if err != nil {
		return nil, fmt.Errorf("client: base URL: %w", err)
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"TryTimeout", &opts.TryTimeout, DefaultTryTimeout},
		{"BackoffBase", &opts.BackoffBase, DefaultBackoffBase},
		{"BackoffCap", &opts.BackoffCap, DefaultBackoffCap},
	} {
		switch {
		case *d.value < 0:
			return nil, fmt.Errorf("client: Options.%s is negative: %v", d.name, *d.value)
		case *d.value == 0:
			*d.value = d.def
		}
	}
	switch {
	case opts.MaxRetries == 0:
		opts.MaxRetries = DefaultMaxRetries
	case opts.MaxRetries < 0:
		opts.MaxRetries = 0
	}
	if opts.Rand == nil {
		opts.Rand = mathrand.Float64
	}
	if opts.AttemptID == nil {
		opts.AttemptID = rand.Text
	}
	if opts.Transport == nil {
		opts.Transport = newTransport()
	}
	if a := opts.KnockAddr; a != "" && a != NoKnocks && !validAddress(a) {
		return nil, fmt.Errorf("client: Options.KnockAddr is not host:port: %.300q", a)
	}
	if opts.DeviceID != "" && !rushgate.ValidAttempt(opts.DeviceID) {
		return nil, errors.New("client: Options.DeviceID is no device id")
	}
	if opts.Remember != "" && !rushgate.ValidDeviceLabel(opts.Remember) {
		return nil, fmt.Errorf("client: Options.Remember is not 1 to %d bytes of UTF-8 without control characters: %.100q",
			rushgate.MaxDeviceLabel, opts.Remember)
	}
	proofs, err := opts.proofs()
	if err != nil {
		return nil, err
	}
	c := &Client{
		base: base, opts: opts, proofs: proofs, dialKnock: dialKnock, timeOfDay: timeOfDay, resuming: make(chan struct{}, 1),
	}
	if !opts.Resume.IsZero() {
		c.device.resumption = opts.Resume.hold()
	}
	if !opts.Ticket.IsZero() {
		c.kept = opts.Ticket.hold()
	}
	return c, nil
}

// newTransport returns a copy of http.DefaultTransport with connections of its own, which resumes TLS sessions: after a
// restart of the server that spares it, and all who come back at once, a part of each handshake.
func newTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{}
	}
	// A program that checks certificates in VerifyPeerCertificate relies on a call for each connection, which crypto/tls
	// does not make for a resumed one.
	if c := t.TLSClientConfig; c.ClientSessionCache == nil && c.VerifyPeerCertificate == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(maxTLSSessions)
	}
	return t
}

// parseBase checks a base URL. Its errors do not repeat the URL, which may hold a password by mistake.
func parseBase(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return "", err
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("its scheme must be http or https")
	case u.Hostname() == "":
		return "", errors.New("it has no host")
	case u.User != nil:
		return "", errors.New("it must not hold a user name or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("it must not have a query or fragment")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// CloseIdleConnections closes the connections that no request is using. The client remains usable.
func (c *Client) CloseIdleConnections() {
	closeIdle(c.opts.Transport)
}

func closeIdle(transport http.RoundTripper) {
	if t, ok := transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
