package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/rushgate/rushgate"
)

const (
	resumePath = "/v1/resume"
	// maxResume is the longest resume token in bytes that a server may give.
	maxResume = 512
	// resumeVersion begins the text of a Resume.
	resumeVersion = "rgk1"
)

var (
	// ErrNotResume is wrapped by the errors of [ParseResume].
	ErrNotResume = errors.New("not what lets a player come back")
	// ErrNoResume is wrapped by the error of [Client.Resume] when there is nothing to come back with: the player has to
	// log in.
	ErrNoResume = errors.New("this device is not remembered")
)

// Resume lets a player come back on this device without a password. The zero value does not. It is as secret as a
// password: keep what [Resume.Text] returns where other programs cannot read it, each time that [Options].OnResume
// brings another one, and give it back by [Options].Resume. It holds the server's token, which is good for one use, and
// what a use that is under way is known by.
//
// However a Resume is printed, logged or marshalled, it shows nothing; only Text does.
type Resume struct {
	hold func() resumption // a function, since fmt prints what fields hold, but never what a function returns
}

// resumption is a resume token as a client holds it.
type resumption struct {
	token   string
	attempt string // of the use under way: all tries, of this run of the program or another, are one; empty: none is
}

// Text returns the Resume as text of at most 600 characters of A-Z, a-z, 0-9, '-', '_' and '.', for [ParseResume]; ""
// for the zero value. Who has the text can be the player.
func (r Resume) Text() string {
	if r.IsZero() {
		return ""
	}
	h := r.hold()
	return strings.Join([]string{resumeVersion, h.attempt, h.token}, ".")
}

// ParseResume reads what [Resume.Text] returned; "" is the zero value. The error wraps [ErrNotResume], and does not
// repeat the text.
func ParseResume(text string) (Resume, error) {
	if text == "" {
		return Resume{}, nil
	}
	parts := strings.SplitN(text, ".", 3)
	if len(parts) != 3 || parts[0] != resumeVersion {
		return Resume{}, fmt.Errorf("client: %w: not the text of this version", ErrNotResume)
	}
	h := resumption{attempt: parts[1], token: parts[2]}
	switch {
	case h.attempt != "" && !rushgate.ValidAttempt(h.attempt):
		return Resume{}, fmt.Errorf("client: %w: its attempt is none", ErrNotResume)
	case !validResume(h.token):
		return Resume{}, fmt.Errorf("client: %w: its token is none", ErrNotResume)
	}
	return resumeOf(h), nil
}

// validResume accepts what a token of this server or a later one may look like.
func validResume(token string) bool {
	return urlSafe(strings.ReplaceAll(token, ".", ""), 1, maxResume) && len(token) <= maxResume
}

func resumeOf(h resumption) Resume {
	if h.token == "" {
		return Resume{}
	}
	return Resume{func() resumption { return h }}
}

// IsZero reports whether it lets no player come back.
func (r Resume) IsZero() bool { return r.hold == nil }

// String says whether it lets a player come back, and not whom.
func (r Resume) String() string {
	if r.IsZero() {
		return "no resume"
	}
	return "a resume"
}

// GoString is [Resume.String] for the verb %#v.
func (r Resume) GoString() string { return "client.Resume{" + r.String() + "}" }

// LogValue is [Resume.String] for log/slog.
func (r Resume) LogValue() slog.Value { return slog.StringValue(r.String()) }

// device is what a client has of the device that it is remembered on.
type device struct {
	resumption
	player rushgate.PlayerID // whose it is; 0: not known
}

// Resume opens a session without a password, on a device that is remembered: after a login with [Options].Remember, or
// with what that has brought ([Options].Resume). It ends a session that the account has already, as [Client.Takeover]
// does, and waits and tries again as [Client.Login] does, but for the server's line before the door: those who come
// back do not stand there.
//
// The error wraps [ErrNoResume] if there is nothing to come back with. It matches [rushgate.BadCredentials] if the
// server remembers the device no longer, which the client then does not either: the player has to log in. After all
// others it may be called again, in another run of the program too, as long as the game keeps what [Options].OnResume
// has brought.
func (c *Client) Resume(ctx context.Context) (*Session, error) { return c.resume(ctx, true) }

func (c *Client) resume(ctx context.Context, takeover bool) (*Session, error) {
	if err := c.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer c.endTurn()
	d, err := c.beginResume()
	if err != nil {
		return nil, err
	}
	k := c.newCall(entry{op: "resume", path: resumePath, takeover: takeover}, "", d.token, d.attempt)
	k.resume = d.token
	s, err := k.run(ctx)
	if errors.Is(err, rushgate.BadCredentials) && !k.line.forWorld() {
		c.setDevice(device{})
	}
	return s, err
}

// takeTurn waits until no other goroutine shows the token: one that is shown in two attempts has been copied, to the
// server.
func (c *Client) takeTurn(ctx context.Context) error {
	select {
	case c.resuming <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("client: resume: %w", ctx.Err())
	}
}

func (c *Client) endTurn() { <-c.resuming }

// beginResume returns the token and the attempt of its use, of which the game has been told.
func (c *Client) beginResume() (device, error) {
	c.mu.Lock()
	d := c.device
	c.mu.Unlock()
	if d.token == "" {
		return d, fmt.Errorf("client: resume: %w", ErrNoResume)
	}
	if d.attempt == "" {
		if d.attempt = c.opts.AttemptID(); !rushgate.ValidAttempt(d.attempt) {
			return d, errors.New("client: resume: Options.AttemptID returned an invalid attempt id")
		}
		c.setDevice(d)
	}
	return d, nil
}

// setDevice keeps what the client is remembered by, and has the game keep it.
func (c *Client) setDevice(d device) {
	c.telling.Lock()
	defer c.telling.Unlock()
	c.mu.Lock()
	c.device = d
	c.mu.Unlock()
	if c.opts.OnResume != nil {
		c.opts.OnResume(resumeOf(d.resumption))
	}
}

// remembers reports whether a player can come back by what the client has.
func (c *Client) remembers(player rushgate.PlayerID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.device.token != "" && c.device.player == player
}

// forget has the server forget the device of a player, and does so itself. An older server remembers none.
func (c *Client) forget(ctx context.Context, player rushgate.PlayerID) error {
	if err := c.takeTurn(ctx); err != nil {
		return err
	}
	defer c.endTurn()
	if !c.remembers(player) {
		return nil
	}
	c.mu.Lock()
	token := c.device.token
	c.mu.Unlock()
	r, err := post("forget", resumePath, struct {
		Resume string `json:"resume_token"`
	}{token}, token)
	if err != nil {
		return err
	}
	r.method = http.MethodDelete
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return err
	}
	switch ans.status {
	case http.StatusNoContent, http.StatusNotFound, http.StatusMethodNotAllowed:
	default:
		if err := r.refusal(ans); !errors.Is(err, rushgate.BadCredentials) {
			return err
		}
	}
	c.setDevice(device{})
	return nil
}

// comeBack opens another session for a player whose session is over, in its place: without ending one that the account
// has elsewhere, which is the player's own, too, and would come back in turn. It returns a connect token, nil if there
// is none.
func (s Session) comeBack(ctx context.Context) ([]byte, error) {
	next, err := s.client.resume(ctx, false)
	if err != nil {
		return nil, err
	}
	if next.PlayerID != s.PlayerID {
		return nil, fmt.Errorf("client: resume: %w: another player's session", ErrBadAnswer)
	}
	s.grant.adopt(next.grant)
	return next.connectToken(), nil
}

// mayComeBack reports whether a session that is over is one to come back to: the player has not left.
func (s Session) mayComeBack() bool {
	s.grant.mu.Lock()
	left := s.grant.left
	s.grant.mu.Unlock()
	return !left && s.client.remembers(s.PlayerID)
}
