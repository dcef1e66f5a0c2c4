package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
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

// serveDrain has the node go down in order, which cannot be undone.
func serveDrain(mux *routes, a *acts, drain func()) {
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, r *http.Request) {
		confirm, ok := readConfirm(w, r)
		if !ok {
			return
		}
		const would = "log out everyone who is inside this node, and end its process"
		if !a.confirmed(w, r, confirm, "node.drain", would, "") {
			return
		}
		a.carryOut(w, r, act{what: "node.drain", status: http.StatusAccepted}, func(context.Context) (any, error) {
			drain()
			return map[string]string{"outcome": "draining"}, nil
		})
	})
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
	problem, wrong := errors.AsType[*strictjson.Error](err)
	switch {
	case wrong:
		writeProblem(w, http.StatusBadRequest, strings.TrimSuffix(problem.Told(), ".")+"; want "+want)
	case !check(in):
		writeProblem(w, http.StatusBadRequest, "want "+want)
	default:
		return in, true
	}
	return nil, false
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
