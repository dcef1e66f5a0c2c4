package steam

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/outbound"
)

const (
	// ticketURL is ISteamUserAuth/AuthenticateUserTicket, at the server for publishers.
	ticketURL = "https://partner.steam-api.com/ISteamUserAuth/AuthenticateUserTicket/v1/"
	// maxTicket is how many bytes a ticket has at most: k_cbMaxTicket of Steamworks is 2560.
	maxTicket = 2560
	// ticketMemory is for how long a ticket that was good is not taken again. Steam takes one until the client cancels it.
	ticketMemory = time.Hour
)

// ErrTickets is wrapped by what is wrong with the settings of tickets.
var ErrTickets = errors.New("settings of Steam's tickets")

// TicketSettings are what an operator says of the game.
type TicketSettings struct {
	AppID uint32 // of the game
	// Key is the publisher's Web API key; a user's is of no use here.
	Key identity.Secret
	// Identity is what the game gives to GetAuthTicketForWebApi: with it, a ticket that players made for another server
	// is of no use here. 1 to 128 printable characters.
	Identity string
}

// Tickets checks tickets. It is safe for concurrent use.
type Tickets struct {
	TicketSettings
	cfg    Config
	target *outbound.Target
}

// Player is who has made a ticket. What follows from the bans is the game's to say.
type Player struct {
	identity.Identity
	// Owner is the SteamID of the account that the game was bought with. It is another than Subject if the player has
	// borrowed it (family sharing): a ban of the one is none of the other.
	Owner string
	// VACBanned: Valve Anti-Cheat has banned the account, in some game. PublisherBanned: this game's publisher has.
	VACBanned, PublisherBanned bool
}

// NewTickets returns what checks the tickets of a game.
func NewTickets(s TicketSettings, cfg Config) (*Tickets, error) {
	switch {
	case s.AppID == 0:
		return nil, fmt.Errorf("%w: no app id", ErrTickets)
	case !printable(string(s.Key), 128):
		return nil, fmt.Errorf("%w: the key has to be 1 to 128 printable characters", ErrTickets)
	case !printable(s.Identity, 128):
		return nil, fmt.Errorf("%w: the identity has to be 1 to 128 printable characters", ErrTickets)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Tickets{TicketSettings: s, cfg: cfg, target: cfg.Calls.Target(TicketsTarget)}, nil
}

// Check takes a ticket from GetAuthTicketForWebApi, in hex. It proves that who sends it had the player's Steam client
// running, with this game, when the ticket was made; that the ticket was made for this server; and that the player has
// the game, bought or borrowed. It is taken once in an hour. The error is an [*identity.Error], or that of the context.
func (t *Tickets) Check(ctx context.Context, ticket string) (Player, error) {
	b, err := hex.DecodeString(ticket)
	if err != nil || len(b) == 0 || len(b) > maxTicket {
		return Player{}, t.fail(identity.Player, identity.ErrForm)
	}
	body, err := t.ask(ctx, hex.EncodeToString(b))
	if err != nil {
		return Player{}, err
	}
	p, err := parseTicketAnswer(body)
	if err != nil {
		whose := identity.Provider
		for _, kind := range []error{identity.ErrRefused, identity.ErrAudience, identity.ErrForm} {
			if errors.Is(err, kind) {
				whose = identity.Player
			}
		}
		return Player{}, t.fail(whose, err)
	}
	if err := t.cfg.Once.First(ctx, t.name(), string(b), t.cfg.Now().Add(ticketMemory)); err != nil {
		return Player{}, err
	}
	return p, nil
}

func (t *Tickets) name() string { return "steam" }

func (t *Tickets) fail(whose identity.Whose, kind error) error {
	return identity.Fail(t.name(), whose, kind)
}

// ask has Steam check a ticket, and returns its answer.
func (t *Tickets) ask(ctx context.Context, ticket string) ([]byte, error) {
	query := url.Values{
		"appid": {strconv.FormatUint(uint64(t.AppID), 10)}, "ticket": {ticket}, "identity": {t.Identity},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ticketURL+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return nil, t.fail(identity.Node, identity.ErrConfig)
	}
	req.Header.Set("X-Webapi-Key", string(t.Key)) // in place of key=: an URL is written down in more places
	resp, err := t.target.Client(outbound.JSONObject).Do(req)
	if err != nil {
		return nil, failed(ctx, t.name(), err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden: // the key is wrong, not a publisher's, or bound to addresses
		return nil, t.fail(identity.Node, fmt.Errorf("%w: Steam answers %d", identity.ErrConfig, resp.StatusCode))
	default:
		return nil, t.fail(identity.Provider, fmt.Errorf("%w: status %d", identity.ErrGarbage, resp.StatusCode))
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, failed(ctx, t.name(), err)
	}
	return body, nil
}

// parseTicketAnswer reads what Steam says of a ticket. The documentation does not show the answer; this is what Steam's
// servers have answered for years, as those who call them have written down.
func parseTicketAnswer(body []byte) (Player, error) {
	var answer struct {
		Response struct {
			Params *struct {
				Result    string `json:"result"`
				Player    string `json:"steamid"`
				Owner     string `json:"ownersteamid"`
				VAC       *bool  `json:"vacbanned"`
				Publisher *bool  `json:"publisherbanned"`
			} `json:"params"`
			Error *struct {
				Code int `json:"errorcode"`
			} `json:"error"`
		} `json:"response"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Player{}, identity.ErrGarbage
	}
	p, refused := answer.Response.Params, answer.Response.Error
	switch {
	case refused != nil && refused.Code == 102: // "Ticket for other app"
		return Player{}, fmt.Errorf("%w (%d)", identity.ErrAudience, refused.Code)
	case refused != nil && refused.Code == 3: // "Invalid parameter"
		return Player{}, fmt.Errorf("%w (%d)", identity.ErrForm, refused.Code)
	case refused != nil && refused.Code == 101: // "Invalid ticket"
		return Player{}, fmt.Errorf("%w (%d)", identity.ErrRefused, refused.Code)
	case refused != nil:
		return Player{}, fmt.Errorf("%w: error %d", identity.ErrGarbage, refused.Code)
	case p == nil || p.Result != "OK" || !player(p.Player) || !player(p.Owner) || p.VAC == nil || p.Publisher == nil:
		return Player{}, identity.ErrGarbage
	}
	return Player{
		Identity: identity.Identity{Issuer: Issuer, Subject: p.Player}, Owner: p.Owner,
		VACBanned: *p.VAC, PublisherBanned: *p.Publisher,
	}, nil
}
