package api

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
)

type sessionBody struct {
	PlayerID     rushgate.PlayerID `json:"player_id"`
	SessionToken string            `json:"session_token"`
	ExpiresAt    timestamp         `json:"expires_at"`
	ConnectToken []byte            `json:"connect_token,omitempty"` // absent without a realtime channel
	ResumeToken  string            `json:"resume_token,omitempty"`  // of a remembered device, unless it is in the cookie
	Remembered   bool              `json:"remembered,omitempty"`    // there is such a token, here or in the cookie
	DeleteAt     *timestamp        `json:"delete_at,omitempty"`     // of the account, only if the player has asked for it
	SessionProof string            `json:"session_proof,omitempty"` // of a login by OPAQUE
}

type connectBody struct {
	ConnectToken []byte    `json:"connect_token"`
	ExpiresAt    timestamp `json:"expires_at"`
}

type meBody struct {
	PlayerID   rushgate.PlayerID `json:"player_id"`
	Name       string            `json:"name"`
	Zone       string            `json:"zone"`
	X          float64           `json:"x"`
	Y          float64           `json:"y"`
	HP         int64             `json:"hp"` // these are among the numbers, too
	XP         int64             `json:"xp"`
	Level      int64             `json:"level"`
	Deaths     int64             `json:"deaths"`
	Numbers    rushgate.Numbers  `json:"numbers"`
	PlaytimeMS int64             `json:"playtime_ms"`
	ExpiresAt  timestamp         `json:"expires_at"`
}

// timestamp is an instant in RFC 3339, UTC, to the millisecond.
type timestamp time.Time

func (t timestamp) MarshalText() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(timestampLayout)), nil
}

const timestampLayout = "2006-01-02T15:04:05.000Z"

func (h *handler) register(w http.ResponseWriter, r *http.Request) {
	h.admit(w, r, auth.Register, http.StatusCreated)
}

func (h *handler) login(w http.ResponseWriter, r *http.Request) {
	h.admit(w, r, auth.Login, http.StatusOK)
}

func (h *handler) admit(w http.ResponseWriter, r *http.Request, kind auth.Kind, status int) {
	f := registerForm(h.PasswordMin)
	if kind == auth.Login {
		f = loginForm()
	}
	c, err := readCredentials(r, f)
	if err == nil {
		err = h.takesPasswords()
	}
	if err == nil {
		err = h.remembered(r, c.remember, c.inCookie)
	}
	if err != nil {
		h.refuse(w, err)
		return
	}
	HoldConn(r.Context())
	s, err := h.Pool.Submit(r.Context(), auth.Request{
		Kind: kind, Username: c.username, Imported: c.imported, Password: c.password, Exact: c.exact, Attempt: c.attempt,
		Takeover: c.takeover, Addr: h.Proxies.Client(r), Holder: c.holder, Ticket: c.ticket, Work: c.work, Wait: c.wait,
		Remember: c.remember, Device: c.device, Factor: c.code,
	})
	if err == nil && h.OpaqueMode == OpaquePrefer {
		h.fresh.note(s.Token, time.Now())
	}
	h.answer(w, r, s, err, status, c.inCookie)
}

// answer tells a client of its session, or why there is none. The resume token is in the body or in the cookie.
func (h *handler) answer(
	w http.ResponseWriter, r *http.Request, s auth.Welcome, err error, status int, inCookie bool,
) {
	if err != nil {
		if h.parts(r, err) {
			w.Header().Set("Connection", "close")
		}
		h.refuse(w, err)
		return
	}
	body := sessionBody{
		PlayerID: s.Player, SessionToken: s.Token, ExpiresAt: timestamp(s.ExpiresAt),
		DeleteAt: deleteAt(&rushgate.Account{Credentials: s.Credentials}),
	}
	if h.ConnectToken != nil {
		if body.ConnectToken, err = h.ConnectToken(s.Session); err != nil {
			h.refuse(w, fmt.Errorf("api: connect token: %w", err))
			return
		}
	}
	body.Remembered, body.SessionProof = s.ResumeToken != "", s.SessionProof
	if inCookie && body.Remembered {
		h.setCookie(w, r, s.ResumeToken)
	} else {
		body.ResumeToken = s.ResumeToken
	}
	writeJSON(w, status, body)
}

// parts reports whether the connection of a refused login is closed: if its client is told to come back later, and
// another one costs no handshake. Package doorman does the same, and says why.
func (h *handler) parts(r *http.Request, err error) bool {
	var reason rushgate.Reason
	later := errors.As(err, &reason) && (reason == rushgate.ServerBusy || reason == rushgate.RateLimited)
	return later && r.TLS == nil && r.ProtoMajor == 1 && !h.Proxies.Passed(r)
}

// connect gives the player of a session another connect token, in place of those before, whether they were used or not.
func (h *handler) connect(w http.ResponseWriter, r *http.Request) {
	if h.ConnectToken == nil {
		h.refuse(w, errNoChannel)
		return
	}
	token, err := bearerToken(r)
	if err != nil {
		h.refuse(w, err)
		return
	}
	s, err := h.renew(r, token)
	if err != nil {
		h.refuse(w, err)
		return
	}
	connectToken, err := h.ConnectToken(s)
	if err != nil {
		h.refuse(w, fmt.Errorf("api: connect token: %w", err))
		return
	}
	writeJSON(w, http.StatusOK, connectBody{connectToken, timestamp(s.ExpiresAt)})
}

func (h *handler) logout(w http.ResponseWriter, r *http.Request) {
	token, err := bearerToken(r)
	if err == nil {
		err = h.endSession(r, token)
	}
	if err != nil {
		h.refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) me(w http.ResponseWriter, r *http.Request) {
	token, err := bearerToken(r)
	if err != nil {
		h.refuse(w, err)
		return
	}
	c, expires, err := h.character(r, token)
	if err != nil {
		h.refuse(w, err)
		return
	}
	writeJSON(w, http.StatusOK, meBody{
		PlayerID: c.ID, Name: c.Name, Zone: c.Zone, X: finite(c.X), Y: finite(c.Y),
		HP: c.Numbers[rushgate.NumberHP], XP: c.Numbers[rushgate.NumberXP], Level: c.Numbers[rushgate.NumberLevel],
		Deaths: c.Numbers[rushgate.NumberDeaths], Numbers: c.Numbers.Clone(), // as JSON never null
		PlaytimeMS: c.Playtime.Milliseconds(), ExpiresAt: expires,
	})
}

// finite replaces what JSON cannot express.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

// bearerToken returns the token of the Authorization header (RFC 6750).
func bearerToken(r *http.Request) (string, error) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", rushgate.BadCredentials
	}
	return token, nil
}
