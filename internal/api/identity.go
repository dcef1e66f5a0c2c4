package api

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/providers"
	"github.com/rushgate/rushgate/internal/strictjson"
)

const (
	identitiesPath = "/v1/identities/"
	// maxAnswer and maxHanded are the most bytes of a body with the answer of a provider, and with what a native client
	// hands over. An ID token has up to 16 KiB.
	maxAnswer = 16 << 10
	maxHanded = 24 << 10
	// attemptCookie is the cookie that an attempt at a provider is in. It has no path, so that it is for what is beside
	// the path of the request: each provider has one of its own.
	attemptCookie = "rushgate_attempt"
	// cookieIdentity is where pages come in with a proof that are to have a cookie, see [cookiePassword].
	cookieIdentity = "/v1/identity"
	// misconfigured is when a player is told to come back whose provider does not take what the operator has configured.
	misconfigured = time.Minute
)

var (
	errNoProvider = rejection{http.StatusNotFound, "There is no such provider here, or it cannot be used in this way."}
	errBeginAgain = rejection{http.StatusConflict,
		"That took too long, was used before, or was begun in another browser: begin again."}
	errNotProven = told{rushgate.BadCredentials, "What the provider says, or what was shown, is not good here."}
	errDenied    = told{rushgate.BadCredentials, "The provider, or you there, said no."}
	errAway      = told{rushgate.ServerBusy,
		"The provider does not answer at the moment. Come back after the given time, or come in another way."}
	errOldProof = rejection{http.StatusConflict, "The proof is too old: visit the provider once more."}
	errBadProof = told{rushgate.BadCredentials, "That is not a proof of an identity of this server's."}
)

var (
	identityFields = []strictjson.Field{
		{Name: "proof"}, {Name: "code"}, {Name: "attempt_id"}, {Name: "takeover", Kind: strictjson.Bool},
		{Name: "line_secret"}, {Name: "wait", Kind: strictjson.Bool}, {Name: "remember"},
		{Name: "remember_cookie", Kind: strictjson.Bool}, {Name: "device_id"},
	}
	answerFields = []strictjson.Field{{Name: "answer"}}
	handedFields = map[providers.Takes][]strictjson.Field{
		providers.TakesIDToken: {{Name: "id_token"}, {Name: "nonce"}},
		providers.TakesTicket:  {{Name: "ticket"}},
		providers.TakesShown:   {{Name: "shown"}},
	}
)

type providersBody struct {
	Providers []providerBody `json:"providers"`
}

type providerBody struct {
	Name    string          `json:"name"`
	Kind    providers.Kind  `json:"kind"`
	Browser bool            `json:"browser"`
	Native  providers.Takes `json:"native,omitempty"`
}

type visitBody struct {
	URL     string `json:"url"`
	ValidMS int64  `json:"valid_ms"`
}

type nonceBody struct {
	Nonce     string    `json:"nonce"`
	ExpiresAt timestamp `json:"expires_at"`
}

type vouchedBody struct {
	Provider  string    `json:"provider"`
	Proof     string    `json:"proof"`
	Name      string    `json:"name,omitempty"`
	ExpiresAt timestamp `json:"expires_at"`
}

// identityRoutes are those by which others vouch for players.
func (h *handler) identityRoutes() []route {
	return []route{
		{"GET /v1/identities", h.identities},
		{"POST /v1/identities/{provider}/begin", h.bare(h.beginVisit)},
		{"POST /v1/identities/{provider}/finish", h.finishVisit},
		{"POST /v1/identities/{provider}/native/start", h.bare(h.startNative)},
		{"POST /v1/identities/{provider}/native", h.native},
		{"POST /v1/identities/login", h.loginWithIdentity},
		{"POST " + cookieIdentity, h.loginWithIdentity},
	}
}

// bodyLimit is how many bytes of a body are read at most.
func bodyLimit(path string) int64 {
	if rest, ok := strings.CutPrefix(path, identitiesPath); ok {
		switch _, what, _ := strings.Cut(rest, "/"); what {
		case "finish":
			return maxAnswer
		case "native":
			return maxHanded
		}
	}
	return MaxBody
}

// identities tells which providers there are, and what a client may do with each.
func (h *handler) identities(w http.ResponseWriter, _ *http.Request) {
	body := providersBody{Providers: []providerBody{}}
	if h.Providers != nil {
		for _, p := range h.Providers.List() {
			body.Providers = append(body.Providers, providerBody{p.Name, p.Kind, p.Visits, p.Takes})
		}
	}
	writeJSON(w, http.StatusOK, body)
}

// vouching has a client ask a provider something, if the door lets it. What it asks for may take seconds.
func (h *handler) vouching(w http.ResponseWriter, r *http.Request, ask func(provider string) (any, error)) {
	if h.Providers == nil {
		h.refuse(w, errNoProvider)
		return
	}
	done, err := h.Door.Vouch(h.Proxies.Client(r))
	if err != nil {
		h.refuse(w, err)
		return
	}
	defer done()
	HoldConn(r.Context())
	body, err := ask(r.PathValue("provider"))
	if err != nil {
		h.refuse(w, h.ofProvider(err))
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// beginVisit tells a page where to send its browser, which keeps the attempt in a cookie.
func (h *handler) beginVisit(w http.ResponseWriter, r *http.Request) {
	if err := h.mayHaveCookie(r, true); err != nil {
		h.refuse(w, err)
		return
	}
	h.vouching(w, r, func(provider string) (any, error) {
		cookie, page, err := h.Providers.Begin(r.Context(), provider)
		if err != nil {
			return nil, err
		}
		h.setAttempt(w, r, cookie, int(identity.AttemptLife/time.Second))
		return visitBody{page, identity.AttemptLife.Milliseconds()}, nil
	})
}

// setAttempt writes the cookie of an attempt. Pages of this node alone send it, from where the answer of the provider
// has arrived, so that it may be a strict one also if the provider has the browser post its answer.
func (h *handler) setAttempt(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: attemptCookie, Value: value, MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: h.secure(r),
	})
}

// finishVisit takes what a provider has sent a browser back with.
func (h *handler) finishVisit(w http.ResponseWriter, r *http.Request) {
	if err := h.mayHaveCookie(r, true); err != nil {
		h.refuse(w, err)
		return
	}
	answer, err := readForm(r, parseAnswer)
	if err != nil {
		h.refuse(w, err)
		return
	}
	h.vouching(w, r, func(provider string) (any, error) {
		var attempt string
		if cookies := r.CookiesNamed(attemptCookie); len(cookies) == 1 { // several: another host has put one there
			attempt = cookies[0].Value
		}
		v, err := h.Providers.Finish(r.Context(), provider, attempt, answer)
		if err != nil {
			return nil, err
		}
		h.setAttempt(w, r, "", -1)
		return newVouchedBody(&v), nil
	})
}

// parseAnswer reads the query that a browser has come back with.
func parseAnswer(body []byte) (url.Values, error) {
	given, err := object(body, answerFields...)
	if err != nil {
		return nil, err
	}
	answer, err := url.ParseQuery(given.String("answer"))
	if err != nil || len(answer) == 0 {
		return nil, malformed{"answer must be the query of the URL that the provider has sent the browser to."}
	}
	return answer, nil
}

func newVouchedBody(v *providers.Vouched) vouchedBody {
	return vouchedBody{Provider: v.Provider, Proof: v.Text, Name: v.Name, ExpiresAt: timestamp(v.Expires())}
}

// startNative gives a client what its platform is to put into an ID token. It costs a few bytes, and nothing is kept.
func (h *handler) startNative(w http.ResponseWriter, r *http.Request) {
	if h.Providers == nil {
		h.refuse(w, errNoProvider)
		return
	}
	nonce, expires, err := h.Providers.Nonce(r.PathValue("provider"))
	if err != nil {
		h.refuse(w, h.ofProvider(err))
		return
	}
	writeJSON(w, http.StatusOK, nonceBody{nonce, timestamp(expires)})
}

// native takes what a client has from the platform that it runs on, or from the game.
func (h *handler) native(w http.ResponseWriter, r *http.Request) {
	if h.Providers == nil {
		h.refuse(w, errNoProvider)
		return
	}
	handed, err := readForm(r, func(body []byte) (providers.Handed, error) {
		return parseHanded(body, h.Providers.Takes(r.PathValue("provider")))
	})
	if err != nil {
		h.refuse(w, err)
		return
	}
	h.vouching(w, r, func(provider string) (any, error) {
		v, err := h.Providers.Native(r.Context(), provider, &handed)
		if err != nil {
			return nil, err
		}
		return newVouchedBody(&v), nil
	})
}

// parseHanded checks the form of what a native client hands over to a provider that takes such a thing.
func parseHanded(body []byte, takes providers.Takes) (handed providers.Handed, err error) {
	fields := handedFields[takes]
	if fields == nil {
		return handed, errNoProvider
	}
	given, err := object(body, fields...)
	if err != nil {
		return handed, err
	}
	for _, f := range fields {
		if given.String(f.Name) == "" {
			return handed, malformed{"The field " + f.Name + " is needed."}
		}
	}
	shown := given.String("shown")
	if len(shown) > providers.MaxShown {
		return handed, malformed{"shown is too long."}
	}
	return providers.Handed{
		IDToken: given.String("id_token"), Nonce: given.String("nonce"), Ticket: given.String("ticket"), Shown: []byte(shown),
	}, nil
}

// loginWithIdentity lets in a player for whom a provider has vouched, and makes an account for one who has none.
func (h *handler) loginWithIdentity(w http.ResponseWriter, r *http.Request) {
	if h.Providers == nil {
		h.refuse(w, errNoProvider)
		return
	}
	h.letIn(w, r, h.readIdentity, h.Pool.Identity)
}

// readIdentity reads a login with a proof, and opens that, which costs next to nothing.
func (h *handler) readIdentity(r *http.Request) (request auth.Request, inCookie bool, err error) {
	body, err := readBody(r)
	if err != nil {
		return request, false, err
	}
	request, text, inCookie, err := parseIdentity(body)
	if err != nil {
		return request, false, err
	}
	if inCookie && r.URL.Path != cookieIdentity {
		return request, false, malformed{"A cookie would not reach /v1/resume from here. Ask at " + cookieIdentity + "."}
	}
	proof, err := h.Providers.Open(text)
	if err != nil {
		return request, false, h.ofProvider(err)
	}
	request.Shown = auth.Shown{Credential: proof.Credential(), Create: true, Names: linked.NamesFrom(proof.Name)}
	return request, inCookie, nil
}

// parseIdentity checks the form of a login with a proof, but for the proof.
func parseIdentity(body []byte) (request auth.Request, proof string, inCookie bool, err error) {
	given, err := object(body, identityFields...)
	if err != nil {
		return request, "", false, err
	}
	request, inCookie, err = entryOf(given)
	if err != nil {
		return request, "", false, err
	}
	if proof = given.String("proof"); proof == "" {
		return request, "", false, malformed{"The field proof is needed."}
	}
	return request, proof, inCookie, nil
}

// ofProvider turns the errors of providers into those for players.
func (h *handler) ofProvider(err error) error {
	var e *identity.Error
	switch {
	case errors.Is(err, providers.ErrNone):
		return errNoProvider
	case errors.Is(err, providers.ErrNoKeys), errors.Is(err, rushgate.ErrUnavailable):
		return rushgate.ServerBusy
	case errors.Is(err, linked.ErrOldProof):
		return errOldProof
	case errors.Is(err, linked.ErrBadProof):
		return errBadProof
	case !errors.As(err, &e):
		return err
	case e.Whose == identity.Player:
		return ofProof(e)
	case e.Whose == identity.Node:
		return errors.Join(errAway, &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: h.Door.After(misconfigured)})
	default:
		return errors.Join(errAway, &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: h.Door.After(e.After)})
	}
}

// ofProof says what a player is told whose proof is not good.
func ofProof(e *identity.Error) error {
	switch {
	case errors.Is(e, identity.ErrForm):
		return malformed{"That is nothing that this provider gives."}
	case errors.Is(e, identity.ErrState), errors.Is(e, identity.ErrExpired), errors.Is(e, identity.ErrUsed):
		return errBeginAgain
	case errors.Is(e, identity.ErrDenied):
		return errDenied
	default:
		return errNotProven
	}
}
