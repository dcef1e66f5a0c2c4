package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/netcode"
)

// renewTimeout bounds the try for a connect token. The server answers without a queue, and what remains of a session
// whose connection was lost is 20 s by default: a try that hangs must leave time for others.
const renewTimeout = 5 * time.Second

// Session is a player's stay on the server. It ends with [Session.Logout], or at [Session.ExpiresAt] if neither an
// authenticated call nor anything from a [Realtime] comes before. Its methods may be called from many goroutines at
// once.
//
// A Session never shows its tokens, however it is printed, logged or marshalled.
type Session struct {
	// PlayerID is the player who logged in.
	PlayerID rushgate.PlayerID

	client *Client
	grant  *grant
}

type grant struct {
	// token is a function because fmt prints the fields of a Session inside another struct without asking its
	// String method, and for some verbs even what they point to; but never what a function returns.
	token func() string
	// connect is the connect token that came with the session, nil if the server has no realtime channel; a function for
	// the same reason.
	connect func() []byte

	since   time.Time  // when the session's answer came
	channel channelUse // of the realtime channel

	// mu guards what follows, and token.
	mu      sync.Mutex
	life    time.Duration // of a session without a word from its player
	expires time.Time     // as the server said last
	told    time.Time     // when it said so
	base    string        // of the node that has the session now, as another one said; empty: the client's own
	left    bool          // the player has logged out, or is about to
}

// sessionToken returns the token that the session has now.
func (g *grant) sessionToken() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.token()
}

// silentLife returns how long the session lasts without a word from its player.
func (g *grant) silentLife() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.life
}

// heardOf notes that the server has heard of the session's player.
func (g *grant) heardOf() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.expires, g.told = g.expires.Add(now.Sub(g.told)), now
}

// adopt makes the grant that of another session of the player.
func (g *grant) adopt(next *grant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.token, g.life, g.expires, g.told, g.base = next.token, next.life, next.expires, next.told, ""
}

// Player is a player's own state.
type Player struct {
	ID   rushgate.PlayerID
	Name string
	// Zone is the part of the world the player is in; X and Y are the position in it, in the world's units.
	Zone string
	X, Y float64
	// Numbers are what the game counts for the player, by names of its own, never nil.
	Numbers rushgate.Numbers
	// Playtime is the time spent in the world, to the millisecond.
	Playtime time.Duration
}

// newSession reads the answer to a registration or login.
func (c *Client) newSession(r request, ans answer) (*Session, error) {
	var body struct {
		PlayerID rushgate.PlayerID `json:"player_id"`
		Token    string            `json:"session_token"`
		Expires  time.Time         `json:"expires_at"`
		Connect  []byte            `json:"connect_token"`
		Resume   string            `json:"resume_token"`
	}
	if err := r.decode(ans, &body, http.StatusOK, http.StatusCreated); err != nil {
		return nil, err
	}
	switch {
	case body.PlayerID == 0:
		return nil, r.bad("a session without a player id")
	case !validToken(body.Token):
		return nil, r.bad("a session without a usable token")
	case body.Expires.IsZero():
		return nil, r.bad("a session without an expiry")
	case body.Connect != nil && len(body.Connect) != netcode.ConnectTokenSize:
		return nil, r.bad("a connect token of %d bytes", len(body.Connect))
	case body.Resume != "" && !validResume(body.Resume):
		return nil, r.bad("a resume token that is none")
	}
	if body.Resume != "" {
		c.setDevice(device{resumption{token: body.Resume}, body.PlayerID})
	}
	now := time.Now()
	g := &grant{
		token: func() string { return body.Token }, connect: func() []byte { return body.Connect },
		since: now, life: life(ans.header, body.Expires), expires: body.Expires, told: now,
	}
	return &Session{PlayerID: body.PlayerID, client: c, grant: g}, nil
}

// life returns how long a session lasts in silence: what lies between its end and the answer, by the server's clock.
func life(h http.Header, expires time.Time) time.Duration {
	sent, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return sessionLife
	}
	return min(max(expires.Sub(sent).Round(time.Second), time.Second), maxSessionLife)
}

// validToken accepts what can stand in an Authorization header.
func validToken(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxToken
}

// connectToken returns the connect token that came with the session, good for one connection within half a minute; nil
// if the server has no realtime channel. It is not to be changed.
func (s Session) connectToken() []byte { return s.grant.connect() }

// renew returns another connect token for a session, and keeps the session open. The session's realtime connection goes
// on, if there is one, until the new one stands. It is tried once, for renewTimeout at most. The error is
// [ErrNoChannel] if the server has no realtime channel and [rushgate.BadCredentials] if the session has ended.
func (c *Client) renew(ctx context.Context, s Session) ([]byte, error) {
	r := request{op: "connect", method: http.MethodPost, path: "/v1/connect", within: renewTimeout}
	ans, err := s.call(ctx, &r)
	if err != nil {
		return nil, err
	}
	if ans.status == http.StatusNotFound {
		return nil, fmt.Errorf("client: connect: %w", ErrNoChannel)
	}
	var body struct {
		Connect []byte    `json:"connect_token"`
		Expires time.Time `json:"expires_at"`
	}
	if err := r.decode(ans, &body, http.StatusOK); err != nil {
		if errors.Is(err, rushgate.RateLimited) { // the server has heard of the session, and knows it
			s.grant.heardOf()
		}
		return nil, err
	}
	if len(body.Connect) != netcode.ConnectTokenSize {
		return nil, r.bad("a connect token of %d bytes", len(body.Connect))
	}
	s.extend(body.Expires)
	return body.Connect, nil
}

// extend notes until when the session now lasts.
func (s Session) extend(expires time.Time) {
	s.grant.mu.Lock()
	defer s.grant.mu.Unlock()
	s.grant.expires, s.grant.told = expires, time.Now() // earlier than before, if the server's time of day was set back
}

// ExpiresAt returns when the session ends, by the server's clock, if the server hears nothing of the player before.
// Every call of [Session.Me] moves it, and so does all that comes over a [Realtime], from which the server is taken to
// have heard at the same time. That is an estimate: where only the way to the server is broken, the truth is up to ten
// seconds earlier, which is when the server ends such a connection by default.
func (s Session) ExpiresAt() time.Time {
	s.grant.mu.Lock()
	defer s.grant.mu.Unlock()
	return s.grant.expires.Add(s.grant.lastWord().Sub(s.grant.told))
}

// lastWord returns when the server last answered a call of the session or was heard over its realtime connection, by
// the local clock. g.mu is held.
func (g *grant) lastWord() time.Time {
	if heard := g.since.Add(time.Duration(g.channel.heard.Load())); heard.After(g.told) {
		return heard
	}
	return g.told
}

// untilLapse returns how long the session lasts yet if the server hears nothing of its player.
func (s Session) untilLapse() time.Duration {
	s.grant.mu.Lock()
	defer s.grant.mu.Unlock()
	return s.grant.life - time.Since(s.grant.lastWord())
}

// Me returns the player's own state and keeps the session open. It is tried once. A session that has ended is
// [rushgate.BadCredentials].
func (s Session) Me(ctx context.Context) (Player, error) {
	r := request{op: "me", method: http.MethodGet, path: "/v1/me"}
	ans, err := s.call(ctx, &r)
	if err != nil {
		return Player{}, err
	}
	var body struct {
		PlayerID   rushgate.PlayerID `json:"player_id"`
		Name       string            `json:"name"`
		Zone       string            `json:"zone"`
		X          float64           `json:"x"`
		Y          float64           `json:"y"`
		HP         int64             `json:"hp"`
		XP         int64             `json:"xp"`
		Level      int64             `json:"level"`
		Deaths     int64             `json:"deaths"`
		Numbers    rushgate.Numbers  `json:"numbers"` // null from an older node, which has those four only
		PlaytimeMS int64             `json:"playtime_ms"`
		Expires    time.Time         `json:"expires_at"`
	}
	if err := r.decode(ans, &body, http.StatusOK); err != nil {
		return Player{}, err
	}
	if body.PlayerID != s.PlayerID {
		return Player{}, r.bad("the state of player %d, not %d", body.PlayerID, s.PlayerID)
	}
	s.extend(body.Expires)
	numbers := body.Numbers.Clone()
	if body.Numbers == nil {
		numbers = rushgate.Numbers{
			rushgate.NumberHP: body.HP, rushgate.NumberXP: body.XP, rushgate.NumberLevel: body.Level,
			rushgate.NumberDeaths: body.Deaths,
		}
	}
	return Player{
		ID: body.PlayerID, Name: body.Name, Zone: body.Zone, X: body.X, Y: body.Y, Numbers: numbers,
		Playtime: time.Duration(body.PlaytimeMS) * time.Millisecond,
	}, nil
}

// Logout ends the session, and has the server forget the device if it remembers it for the player ([Options].Remember).
// When it returns nil, the character has been saved. It is tried once and may be called again if no answer came;
// [rushgate.BadCredentials] then means that the session has already ended.
func (s Session) Logout(ctx context.Context) error {
	s.grant.leave(true)
	if err := s.client.forget(ctx, s.PlayerID); err != nil {
		s.grant.leave(false)
		return err
	}
	return s.Leave(ctx)
}

// Leave ends the session as [Session.Logout] does, but for the device, which stays remembered: for a game that ends,
// and whose player is to come back without a password.
func (s Session) Leave(ctx context.Context) error {
	s.grant.leave(true)
	r := request{op: "logout", method: http.MethodPost, path: "/v1/logout"}
	ans, err := s.call(ctx, &r)
	if err == nil && ans.status != http.StatusNoContent {
		err = r.refusal(ans)
	}
	if err != nil && !errors.Is(err, rushgate.BadCredentials) {
		s.grant.leave(false)
	}
	return err
}

// leave notes whether the player is about to leave.
func (g *grant) leave(left bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left = left
}

// maxHops is from how many nodes a call is sent on to another one that is said to have the session.
const maxHops = 2

// call sends a request of the session to the node that has it, which it is told by others. The server that the client
// knows is asked again when that node does not answer.
func (s Session) call(ctx context.Context, r *request) (answer, error) {
	for hop := 0; ; hop++ {
		r.token, r.base = s.grant.sessionToken(), s.base()
		ans, err := s.client.exchange(ctx, *r)
		if err != nil {
			if errors.Is(err, ErrNoAnswer) {
				s.follow("")
			}
			return ans, err
		}
		if ans.status != http.StatusMisdirectedRequest || hop == maxHops || !s.followed(r.refusal(ans)) {
			return ans, nil
		}
	}
}

// NewRequest returns a request of the game's own to the node that has the session, by which the node knows the
// player: Handler of package server's Config answers it. path begins with a slash and may have a query. The caller
// sends it, with an [http.Client] that trusts what [Options].Transport does. The request holds the session's token:
// it is not for a log.
func (s Session) NewRequest(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, errors.New("client: the path of a request does not begin with a slash")
	}
	r, err := http.NewRequestWithContext(ctx, method, cmp.Or(s.base(), s.client.base)+path, body)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+s.grant.sessionToken())
	return r, nil
}

// base returns the URL of the node that is said to have the session.
func (s Session) base() string {
	s.grant.mu.Lock()
	defer s.grant.mu.Unlock()
	return s.grant.base
}

// followed reports whether a refusal says where the session is, and has it asked for there from now on.
func (s Session) followed(err error) bool {
	refusal, ok := errors.AsType[*rushgate.Refusal](err)
	if !ok || refusal.Reason != rushgate.WrongZone || refusal.Address == "" {
		return false
	}
	s.follow(refusal.Address)
	return true
}

// follow has the session asked for at an address from now on, by the scheme of the client's own; "" is the client's
// own.
func (s Session) follow(address string) {
	base := ""
	if address != "" {
		scheme, _, _ := strings.Cut(s.client.base, "://")
		base = scheme + "://" + address
	}
	s.grant.mu.Lock()
	defer s.grant.mu.Unlock()
	s.grant.base = base
}

// String returns the session's player id and expiry, never its tokens.
func (s Session) String() string {
	if s.grant == nil {
		return "no session"
	}
	return fmt.Sprintf("session of player %d until %s", s.PlayerID, s.ExpiresAt().Format(time.RFC3339))
}

// GoString is [Session.String] for the verb %#v.
func (s Session) GoString() string { return "client.Session{" + s.String() + "}" }

// LogValue is [Session.String] for log/slog.
func (s Session) LogValue() slog.Value { return slog.StringValue(s.String()) }
