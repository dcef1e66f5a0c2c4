package steam

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/outbound"
)

const (
	// endpoint is where browsers are sent to, and assertions are verified; there is no discovery to lead elsewhere.
	endpoint = "https://steamcommunity.com/openid/login"
	// claimedPrefix is what precedes a SteamID.
	claimedPrefix = "https://steamcommunity.com/openid/id/"

	namespace = "http://specs.openid.net/auth/2.0"
	anybody   = namespace + "/identifier_select"

	// nonceLife is how old an assertion may be, and tolerance by how much Steam's clock may differ from the node's.
	nonceLife = 5 * time.Minute
	tolerance = time.Minute
	maxNonce  = 255 // characters, OpenID Authentication 2.0, section 10.1
	maxValue  = 2048
)

// signed are the fields that an assertion has, and that Steam has to have signed: all that are looked at.
var signed = []string{"op_endpoint", "claimed_id", "identity", "return_to", "response_nonce", "assoc_handle"}

// ErrPages is wrapped by what is wrong with the settings of pages.
var ErrPages = errors.New("settings of Steam's pages")

// Pages has players proven by a visit of their browser to Steam. It is safe for concurrent use.
type Pages struct {
	returnTo string
	realm    string
	cfg      Config
	target   *outbound.Target
}

// NewPages returns what sends browsers to Steam, and back to a URL of the game's: absolute, over HTTPS, without a
// query. Players see its host at Steam.
func NewPages(returnTo string, cfg Config) (*Pages, error) {
	u, err := url.Parse(returnTo)
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(returnTo, "?# ") || len(returnTo) > 512 ||
		u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fmt.Errorf("%w: where to return to has to be https://, without a query", ErrPages)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Pages{
		returnTo: returnTo, realm: u.Scheme + "://" + u.Host + "/", cfg: cfg, target: cfg.Calls.Target(PagesTarget),
	}, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func (p *Pages) name() string { return "steam" }

func (p *Pages) fail(whose identity.Whose, kind error) error {
	return identity.Fail(p.name(), whose, kind)
}

// Begin returns an attempt for the browser's cookie, and Steam's page to send the browser to. Steam is not asked.
func (p *Pages) Begin() (identity.Attempt, string) {
	a := identity.NewAttempt(p.cfg.Now())
	return a, endpoint + "?" + url.Values{
		"openid.ns": {namespace}, "openid.mode": {"checkid_setup"}, "openid.identity": {anybody},
		"openid.claimed_id": {anybody}, "openid.return_to": {p.returnFor(a)}, "openid.realm": {p.realm},
	}.Encode()
}

// returnFor is where an attempt's browser comes back to, with what only this attempt has.
func (p *Pages) returnFor(a identity.Attempt) string {
	return p.returnTo + "?state=" + a.Derive("state", p.name())
}

// Finish takes what Steam has sent the browser back with, and the attempt of the browser's cookie. It proves that the
// player who has this browser is logged in at Steam as the one whom it names, now: Steam itself has said so, about this
// very answer, for the first time. The error is an [*identity.Error], or that of the context.
func (p *Pages) Finish(ctx context.Context, a identity.Attempt, answer url.Values) (identity.Identity, error) {
	now := p.cfg.Now()
	fields, err := p.assertion(a, answer)
	if err != nil {
		return identity.Identity{}, p.fail(identity.Player, err)
	}
	made, ok := nonceTime(fields["response_nonce"])
	if !ok {
		return identity.Identity{}, p.fail(identity.Player, identity.ErrForm)
	}
	if age := now.Sub(made); a.Expired(now, tolerance) || age > nonceLife || age < -tolerance {
		return identity.Identity{}, p.fail(identity.Player, identity.ErrExpired)
	}
	if err := p.verify(ctx, fields); err != nil {
		return identity.Identity{}, err
	}
	err = p.cfg.Once.First(ctx, p.name(), "nonce "+fields["response_nonce"], made.Add(nonceLife+time.Second))
	if err != nil {
		return identity.Identity{}, err
	}
	return identity.Identity{Issuer: Issuer, Subject: strings.TrimPrefix(fields["claimed_id"], claimedPrefix)}, nil
}

// assertion returns the fields of an answer that says who the player is, without "openid.", if it is one to this
// attempt.
func (p *Pages) assertion(a identity.Attempt, answer url.Values) (map[string]string, error) {
	fields := make(map[string]string)
	for name, values := range answer {
		field, ours := strings.CutPrefix(name, "openid.")
		if len(values) != 1 || len(values[0]) > maxValue {
			return nil, identity.ErrForm
		}
		if ours {
			fields[field] = values[0]
		}
	}
	if answer.Get("state") != a.Derive("state", p.name()) {
		return nil, identity.ErrState
	}
	switch fields["mode"] {
	case "id_res":
	case "cancel":
		return nil, identity.ErrDenied
	default:
		return nil, identity.ErrForm
	}
	return fields, p.checkFields(a, fields)
}

// checkFields holds an assertion against section 11, but for its signature and its nonce.
func (p *Pages) checkFields(a identity.Attempt, fields map[string]string) error {
	claimed := fields["claimed_id"]
	switch id, ours := strings.CutPrefix(claimed, claimedPrefix); {
	case fields["ns"] != namespace, fields["sig"] == "", fields["assoc_handle"] == "", !allSigned(fields):
		return identity.ErrForm
	case fields["op_endpoint"] != endpoint:
		return identity.ErrMixedUp
	case fields["return_to"] != p.returnFor(a):
		return identity.ErrState
	case !ours || !player(id) || fields["identity"] != claimed:
		return identity.ErrForm
	}
	return nil
}

// allSigned reports whether all fields are signed that are looked at, and nothing is there beside them. Steam signs the
// name of the list, too.
func allSigned(fields map[string]string) bool {
	list := strings.Split(fields["signed"], ",")
	for _, name := range signed {
		if !slices.Contains(list, name) {
			return false
		}
	}
	for _, name := range list {
		if name != "signed" && !slices.Contains(signed, name) {
			return false
		}
	}
	for name := range fields {
		switch name {
		case "ns", "mode", "signed", "sig", "invalidate_handle":
		default:
			if !slices.Contains(signed, name) {
				return false
			}
		}
	}
	return true
}

// nonceTime returns when a response_nonce was made: it begins with the time, in UTC, to the second.
func nonceTime(nonce string) (time.Time, bool) {
	const form = "2006-01-02T15:04:05Z"
	if len(nonce) <= len(form) || !printable(nonce, maxNonce) {
		return time.Time{}, false
	}
	made, err := time.Parse(form, nonce[:len(form)])
	return made, err == nil
}

// verify asks Steam whether it has made an assertion (OpenID Authentication 2.0, section 11.4.2).
func (p *Pages) verify(ctx context.Context, fields map[string]string) error {
	form := url.Values{}
	for name, value := range fields {
		form.Set("openid."+name, value)
	}
	form.Set("openid.mode", "check_authentication")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return p.fail(identity.Node, identity.ErrConfig)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.target.Client(isVerification).Do(req)
	if err != nil {
		return failed(ctx, p.name(), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return p.fail(identity.Provider, fmt.Errorf("%w: status %d", identity.ErrGarbage, resp.StatusCode))
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return failed(ctx, p.name(), err)
	}
	if valid, _ := parseVerification(body); !valid {
		return p.fail(identity.Player, identity.ErrRefused)
	}
	return nil
}

func isVerification(body []byte) bool {
	_, ok := parseVerification(body)
	return ok
}

// parseVerification reads the answer to that, in key-value form (section 4.1.1): lines of a name, a colon, and a value.
func parseVerification(body []byte) (valid, ok bool) {
	values := make(map[string]string)
	for line := range bytes.Lines(body) {
		name, value, there := strings.Cut(strings.TrimSuffix(string(line), "\n"), ":")
		if _, twice := values[name]; !there || twice {
			return false, false
		}
		values[name] = value
	}
	switch answer := values["is_valid"]; {
	case values["ns"] != namespace, answer != "true" && answer != "false":
		return false, false
	default:
		return answer == "true", true
	}
}
