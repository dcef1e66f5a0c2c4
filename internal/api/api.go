// Package api is the HTTP front door: JSON in and out, one table from reasons to status codes, and the OpenAPI document
// of it all. It checks the form of requests and leaves everything else to packages auth and realm.
package api

import (
	_ "embed"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/awake"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/outbox"
	"github.com/rushgate/rushgate/internal/passkey"
	"github.com/rushgate/rushgate/internal/peer"
	"github.com/rushgate/rushgate/internal/providers"
	"github.com/rushgate/rushgate/internal/ready"
	"github.com/rushgate/rushgate/internal/realm"
	"github.com/rushgate/rushgate/internal/unserved"
	"github.com/rushgate/rushgate/internal/wschannel"
)

//go:embed openapi.yaml
var openAPI []byte

// Config is what the front door leads to.
type Config struct {
	Pool  *auth.Pool
	Door  *door.Door
	Realm *realm.Realm
	Store rushgate.Boards
	// Accounts is what players look after their accounts with; nil means that they cannot.
	Accounts *account.Ledger
	// DeleteAfter is how long after its player has asked for it an account is deleted; 0: at once, for which DeleteNow is
	// called. It must not block.
	DeleteAfter time.Duration
	DeleteNow   func()
	// Names is what holds for players who rename their accounts.
	Names account.RenameRules
	// Passkeys is what players prove accounts with in place of a password; nil means that there are none.
	Passkeys *passkey.Party
	// Providers are those that vouch for players; nil means that there are none.
	Providers *providers.Providers
	// Guests: players come in by a device alone, see [auth.Pool.Identity].
	Guests bool
	// Outbox has the mail to players that is to be sent; nil means that none is.
	Outbox *outbox.Outbox
	// Game, if not nil, answers what is asked for outside /v1/, /play/, /healthz and /readyz. It bounds what it is sent.
	Game http.Handler
	// Boards are the leaderboards that players may ask for, see [rushgate.CheckBoards].
	Boards []rushgate.Board
	// ConnectToken returns what lets the player of a session into the realtime channel. It is called on the goroutines of
	// requests. Nil means that there is no channel.
	ConnectToken func(rushgate.Session) ([]byte, error)
	// Lines are the documents of the door's lines. Nil stands for those that name no address to knock at by UDP.
	Lines *LineDocuments
	// Channel is the realtime channel over WebSockets; nil means that there is none.
	Channel *wschannel.Channel
	// Play is the browser client, served at /play and below; nil means that there is none.
	Play http.Handler
	// Origins are those, besides the node's own, whose pages may use the node, as [ParseOrigin] returns them.
	Origins []string
	// Proxies are those whose word on where requests come from is believed. Required.
	Proxies *peer.Proxies
	// PasswordMin is the least number of characters of a new password. 0 stands for [rushgate.DefaultPasswordLen].
	PasswordMin int
	// Remember is for how long a cookie with a resume token lasts. 0: no devices are remembered.
	Remember time.Duration
	// MaxAge is the age at which the pool gives a request up; every answer is given a little later at the latest. 0 stands
	// for [auth.DefaultMaxAge].
	MaxAge time.Duration
	// OpaqueMode is what the node does with OPAQUE, which Opaque answers; nil if it is off.
	OpaqueMode OpaqueMode
	Opaque     *opaque.Server
	// Run is unique to one start of the node and says nothing else. It lets those who ask both find out which admin
	// listener belongs to the node that they reach.
	Run string
	// Rules returns what the operators have decided about who may come in; nil stands for open doors.
	Rules func() *access.Rules
	// AppealURL is where players who are banned can say that this is wrong; empty: nowhere.
	AppealURL string
	// Ready says whether the node can let players in.
	Ready  *ready.Probe
	Logger *slog.Logger
	// Clock knows when the process stood still, which is no part of the time a request takes. Nil: never.
	Clock *awake.Clock
}

type handler struct {
	Config
	boards        boardCache
	calls         calls // about accounts
	exports       calls // of accounts
	exporting     chan struct{}
	changes       *changes
	fresh         freshLogins
	answerTimeout time.Duration
	pages         pages
}

// New returns the front door's handler.
func New(cfg Config) http.Handler {
	cfg.Boards, _ = rushgate.CheckBoards(cfg.Boards) // with those that it refuses there are none
	h := &handler{
		Config: cfg, boards: boardCache{store: cfg.Store, logger: cfg.Logger}, answerTimeout: answerTimeout(cfg.MaxAge),
		changes: newChanges(), exporting: make(chan struct{}, exportsAtOnce),
		calls:   calls{most: accountCalls, window: accountWindow},
		exports: calls{most: exportCalls, window: exportWindow},
	}
	if h.Rules == nil {
		h.Rules = (*access.Keeper)(nil).Rules
	}
	if h.Lines == nil {
		h.Lines = &LineDocuments{Door: cfg.Door}
	}
	mux := http.NewServeMux()
	for _, r := range h.routes() {
		mux.HandleFunc(r.pattern, r.serve)
	}
	if cfg.Play != nil {
		page := h.refusingFor(cfg.Play)
		mux.Handle("/play", page)
		mux.Handle("/play/", page)
		mux.HandleFunc("GET /{$}", toPage)
	}
	return h.beside(h.cors(h.guard(h.ownPages(unserved.Handler(mux, h.refuseFor)))))
}

// beside gives the game's own handler what is not the node's.
func (h *handler) beside(node http.Handler) http.Handler {
	if h.Game == nil {
		return node
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); first {
		case "v1", "play", "healthz", "readyz":
			node.ServeHTTP(w, r)
		default:
			h.Game.ServeHTTP(w, r)
		}
	})
}

// toPage leads the visitor of a bare host name to the browser client.
func toPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", "play/") // relative: whatever path a proxy has put in front
	w.WriteHeader(http.StatusSeeOther)
}

type route struct {
	pattern string
	serve   http.HandlerFunc
}

func (h *handler) routes() []route {
	return append(slices.Concat(
		h.accountRoutes(), h.emailRoutes(), h.factorRoutes(), h.passkeyRoutes(), h.opaqueRoutes(), h.guestRoutes(),
		h.identityRoutes(), h.linkingRoutes(),
	), []route{
		{"POST /v1/recover", h.recover},
		{"POST /v1/recover/finish", h.finishRecovery},
		{"POST /v1/register", h.register},
		{"POST /v1/login", h.login},
		{"POST /v1/enter", h.enter},
		{"POST " + resumePath, h.resume},
		{"DELETE " + resumePath, h.forget},
		{"POST /v1/connect", h.bare(h.connect)},
		{"GET " + channelPath, h.channel},
		{"POST /v1/logout", h.bare(h.logout)},
		{"GET /v1/me", h.me},
		{"GET /v1/leaderboards/{board}", h.leaderboard},
		{"GET /v1/status", h.status},
		{"GET /v1/line", h.line},
		{"GET /v1/openapi.yaml", serveOpenAPI},
		{"GET /healthz", serveHealth},
		{"GET /readyz", h.readyz},
	}...)
}

// guard bounds each request in time and size and turns a panic into an answer.
func (h *handler) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				h.Logger.Error("handler panicked", "path", r.URL.Path, "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
				h.refuse(w, rushgate.InternalError)
			}
		}()
		ctx, cancel := h.Clock.WithTimeout(r.Context(), h.answerTimeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit(r.URL.Path))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Write(openAPI)
}

// readyz tells a load balancer whether to send players here.
func (h *handler) readyz(w http.ResponseWriter, r *http.Request) { h.Ready.ServeHTTP(w, r) }

func serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("ok\n"))
}
