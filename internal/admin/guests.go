package admin

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
)

// Bounds of a question for the players inside.
const (
	// defaultPage and maxPage are how many players an answer has, if the request does not say, and at most.
	defaultPage, maxPage = 50, 200
	// maxOffset is how far into the list an answer can begin.
	maxOffset = 1 << 20
	// maxSearch bounds what names are searched for, in bytes.
	maxSearch = 128
	// guestsHold is how long a list of the node is good for: however many ask, the node makes one in this time.
	guestsHold = time.Second
)

// Guest is a player inside. The fields are those of Player of package server.
type Guest struct {
	ID        rushgate.PlayerID
	Name      string
	Since     time.Time
	Zone      string
	Origin    netip.Prefix // the zero prefix: not known
	Device    string
	Transport string
	RoundTrip time.Duration // 0: not known
}

// guestBody is a [Guest] as the page, and whatever else asks, sees it.
type guestBody struct {
	ID        rushgate.PlayerID `json:"id"`
	Name      string            `json:"name"`
	Since     time.Time         `json:"since"`
	Zone      string            `json:"zone"`
	Origin    string            `json:"origin,omitempty"` // the network, in CIDR notation
	Device    string            `json:"device,omitempty"`
	Transport string            `json:"transport"`
	RTTMS     float64           `json:"rtt_ms,omitempty"`
}

func newGuestBody(g *Guest) guestBody {
	b := guestBody{
		ID: g.ID, Name: g.Name, Since: g.Since.UTC(), Zone: g.Zone, Device: g.Device,
		Transport: g.Transport,
		RTTMS:     rounded(float64(g.RoundTrip.Microseconds()) / 1000),
	}
	if g.Origin.IsValid() {
		b.Origin = g.Origin.String()
	}
	return b
}

// guestBook answers GET /players.
type guestBook struct {
	list   func(context.Context) ([]Guest, error)
	logger *slog.Logger

	mu     sync.Mutex
	listed time.Time
	guests []Guest // as of then; not changed any more
}

// latest returns the players inside, as of guestsHold ago at most. The slice is shared.
func (b *guestBook) latest(ctx context.Context) ([]Guest, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !b.listed.IsZero() && time.Since(b.listed) < guestsHold {
		return b.guests, nil
	}
	guests, err := b.list(ctx)
	if err != nil {
		return nil, err
	}
	b.guests, b.listed = guests, time.Now()
	return guests, nil
}

func (b *guestBook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := readGuestQuery(r.URL.RawQuery)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	guests, err := b.latest(ctx)
	if err != nil {
		b.logger.Debug("the players inside could not be listed", "error", err)
		writeProblem(w, http.StatusServiceUnavailable, "the node did not list its players in time; try again")
		return
	}
	writeJSON(w, http.StatusOK, q.answer(guests))
}

// guestOrders are the orders in which players can be listed, by the word that asks for each. Names are unique, and
// decide where the rest is the same.
var guestOrders = map[string]func(a, b *Guest) int{
	"name":   func(*Guest, *Guest) int { return 0 },
	"since":  func(a, b *Guest) int { return a.Since.Compare(b.Since) },
	"zone":   func(a, b *Guest) int { return cmp.Compare(a.Zone, b.Zone) },
	"origin": func(a, b *Guest) int { return a.Origin.Compare(b.Origin) },
	"transport": func(a, b *Guest) int {
		return cmp.Compare(a.Transport, b.Transport)
	},
	"rtt": func(a, b *Guest) int { return cmp.Compare(a.RoundTrip, b.RoundTrip) },
}

// guestQuery is which of the players inside an answer has.
type guestQuery struct {
	search        string // part of a name, in lower case
	order         string
	backwards     bool
	offset, limit int
}

// readGuestQuery reads the query of a URL. The error is fit for the answer.
func readGuestQuery(raw string) (guestQuery, error) {
	q := guestQuery{order: "name", limit: defaultPage}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, fmt.Errorf("the query cannot be read: want name=value, joined by &")
	}
	for key, all := range values {
		if len(all) != 1 {
			return q, fmt.Errorf("%.40q is there %d times, want once", key, len(all))
		}
		if err := q.set(key, all[0]); err != nil {
			return q, err
		}
	}
	return q, nil
}

func (q *guestQuery) set(key, value string) (err error) {
	switch key {
	case "search":
		if len(value) > maxSearch {
			return fmt.Errorf("search has more than %d bytes", maxSearch)
		}
		q.search = foldName(value)
	case "sort":
		if guestOrders[value] == nil {
			return fmt.Errorf("sort is none of name, since, zone, origin, transport, rtt")
		}
		q.order = value
	case "order":
		if value != "asc" && value != "desc" {
			return fmt.Errorf("order is neither asc nor desc")
		}
		q.backwards = value == "desc"
	case "offset":
		q.offset, err = count(key, value, 0, maxOffset)
	case "limit":
		q.limit, err = count(key, value, 1, maxPage)
	default:
		return fmt.Errorf("%.40q is none of search, sort, order, offset, limit", key)
	}
	return err
}

func count(key, value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%s is no whole number from %d to %d", key, low, high)
	}
	return n, nil
}

// foldName writes a name, or a part of one, as names are kept as far as that can be said of a part.
func foldName(name string) string {
	name = strings.TrimSpace(name)
	if canonical, err := rushgate.ParseUsername(name); err == nil {
		return canonical
	}
	return strings.ToLower(name)
}

// guestPage is the answer to a [guestQuery].
type guestPage struct {
	Players []guestBody `json:"players"`
	Found   int         `json:"found"`  // how many the search has found, on all pages
	Inside  int         `json:"inside"` // how many there are
	Offset  int         `json:"offset"` // of the first one here, among those found
}

// answer picks from the players inside. A page that begins behind the last player found is the last one that there is.
func (q *guestQuery) answer(guests []Guest) guestPage {
	found := make([]*Guest, 0, len(guests))
	for i := range guests {
		if strings.Contains(guests[i].Name, q.search) {
			found = append(found, &guests[i])
		}
	}
	slices.SortFunc(found, q.compare)
	page := guestPage{Players: []guestBody{}, Found: len(found), Inside: len(guests), Offset: q.offset}
	if page.Offset >= len(found) {
		page.Offset = max(len(found)-1, 0) / q.limit * q.limit
	}
	for _, g := range found[page.Offset:min(page.Offset+q.limit, len(found))] {
		page.Players = append(page.Players, newGuestBody(g))
	}
	return page
}

func (q *guestQuery) compare(a, b *Guest) int {
	c := cmp.Or(guestOrders[q.order](a, b), cmp.Compare(a.Name, b.Name))
	if q.backwards {
		return -c
	}
	return c
}
