package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/strictjson"
)

const (
	// maxOrder bounds the body of a request to do something, in bytes.
	maxOrder = 4 << 10
	// orderTimeout is how long the node may take for one.
	orderTimeout = 15 * time.Second
)

// Actions are what an operator can have a node do. All are required and must be safe for concurrent use.
type Actions struct {
	// Drain has the node go down in order, and returns at once.
	Drain func()
	// Players lists the players inside this node, in any order. The slice is the caller's.
	Players func(ctx context.Context) ([]Guest, error)
	// EndSession ends the session of a player, who is saved and logged out. The error is [rushgate.BadCredentials] if
	// there is no such account, or wraps [rushgate.ErrInvalidUsername].
	EndSession func(ctx context.Context, name string) (Ended, error)
	// Lookup returns what may be shown of an account. Errors are as for EndSession.
	Lookup func(ctx context.Context, name string) (Player, error)
}

// Ended says what has become of a session that was to be ended.
type Ended string

// The outcomes.
const (
	// EndedHere: the player was inside here, and is saved and logged out.
	EndedHere Ended = "ended"
	// EndingElsewhere: the player is inside at another node, which has been asked to end the session and does so within
	// seconds, if it runs.
	EndingElsewhere Ended = "elsewhere"
	// NotInside: there is no session to end.
	NotInside Ended = "not-inside"
)

// Where says where a player is.
type Where string

// The places.
const (
	Here      Where = "here"
	Elsewhere Where = "elsewhere" // the lease is another node's, or of an earlier run of this one
	Nowhere   Where = "nowhere"
)

// Player is what an operator may see of an account and its character. Nothing of the hash is but how it is made.
type Player struct {
	ID         rushgate.PlayerID `json:"id"`
	Name       string            `json:"name"`
	CreatedAt  time.Time         `json:"created_at"`
	Version    int               `json:"record_version"`
	HashScheme string            `json:"hash_scheme"`
	HashCost   string            `json:"hash_cost"`
	Inside     Where             `json:"inside"`
	Connection string            `json:"connection"` // "udp", "websocket" or "none"
	// The character is as it is now for who is inside here, and otherwise as last saved.
	Level  int64 `json:"level"` // these are among the numbers, too
	XP     int64 `json:"xp"`
	Deaths int64 `json:"deaths"`

	Numbers    rushgate.Numbers `json:"numbers"`
	Zone       string           `json:"zone"`
	PlaytimeMS int64            `json:"playtime_ms"`
}

// orders serves the actions.
type orders struct {
	actions Actions
	logger  *slog.Logger
}

func (o *orders) serve(mux *routes) {
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, r *http.Request) {
		if !isJSON(w, r) {
			return
		}
		o.logger.Warn("the operator has asked for a drain", "from", origin(r).Addr())
		o.actions.Drain()
		writeJSON(w, http.StatusAccepted, map[string]string{"outcome": "draining"})
	})
	mux.HandleFunc("POST /sessions/end", func(w http.ResponseWriter, r *http.Request) {
		o.named(w, r, func(ctx context.Context, name string) (any, error) {
			ended, err := o.actions.EndSession(ctx, name)
			o.note(slog.LevelWarn, "the operator has asked for the end of a session", err, "player", name, "from",
				origin(r).Addr(),
				"outcome", ended)
			return map[string]Ended{"outcome": ended}, err
		})
	})
	mux.HandleFunc("POST /accounts/lookup", func(w http.ResponseWriter, r *http.Request) {
		o.named(w, r, func(ctx context.Context, name string) (any, error) {
			player, err := o.actions.Lookup(ctx, name)
			o.note(slog.LevelInfo, "the operator has looked up an account", err, "player", name, "from", origin(r).Addr())
			return player, err
		})
	})
}

// note logs what the operator has asked for, and the error if that has failed.
func (o *orders) note(level slog.Level, what string, err error, attrs ...any) {
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	o.logger.Log(context.Background(), level, what, attrs...)
}

// isJSON reports whether a request says so of its body, and answers it otherwise. A form of another site cannot, nor
// can its script without being asked for permission, whatever the browser's age.
func isJSON(w http.ResponseWriter, r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		writeProblem(w, http.StatusUnsupportedMediaType, "want application/json")
		return false
	}
	return true
}

// read reads the body of an order, a JSON object with no fields but those known, by the rule of package strictjson that
// players' requests are read by too. It answers a request that is not so, or that check refuses, with what is wanted.
func read(
	w http.ResponseWriter, r *http.Request, limit int64, want string, check func(strictjson.Values) bool,
	known ...strictjson.Field,
) (strictjson.Values, bool) {
	if !isJSON(w, r) {
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		writeProblem(w, http.StatusBadRequest, "the body is too long or could not be read: want "+want)
		return nil, false
	}
	in, err := strictjson.Object(body, known...)
	switch {
	case err != nil:
		writeProblem(w, http.StatusBadRequest, strings.TrimSuffix(err.Error(), ".")+"; want "+want)
	case !check(in):
		writeProblem(w, http.StatusBadRequest, "want "+want)
	default:
		return in, true
	}
	return nil, false
}

// named carries out an order about the player that a request names.
func (o *orders) named(w http.ResponseWriter, r *http.Request, do func(context.Context, string) (any, error)) {
	hasName := func(in strictjson.Values) bool { return in.String("name") != "" }
	in, ok := read(w, r, maxOrder, `{"name": "..."}`, hasName, strictjson.Field{Name: "name"})
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	out, err := do(ctx, in.String("name"))
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, out)
	case errors.Is(err, rushgate.ErrInvalidUsername):
		writeProblem(w, http.StatusBadRequest, "no account can have such a name")
	case errors.Is(err, rushgate.BadCredentials):
		writeProblem(w, http.StatusNotFound, "there is no account of this name")
	case errors.Is(err, rushgate.ErrUnavailable), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, rushgate.ServerBusy):
		writeProblem(w, http.StatusServiceUnavailable, "the store does not answer in time; try again")
	default:
		writeProblem(w, http.StatusInternalServerError, "that has failed; the log says why")
	}
}

func writeProblem(w http.ResponseWriter, status int, problem string) {
	writeJSON(w, status, map[string]string{"error": problem})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the answer cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
