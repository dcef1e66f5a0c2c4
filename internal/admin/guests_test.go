package admin_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/admin"
)

// guestList is the answer to GET /players.
type guestList struct {
	Players []struct {
		ID         uint64
		Name, Zone string
		Origin     string
		Transport  string
		Since      time.Time
		RTT        float64 `json:"rtt_ms"`
	}
	Found, Inside, Offset int
	Error                 string
}

func (l *guestList) names() (names []string) {
	for _, p := range l.Players {
		names = append(names, p.Name)
	}
	return names
}

func ask(t *testing.T, cfg admin.Config, query string) (l guestList, status int) {
	t.Helper()
	w := do(admin.New(cfg), "GET", "/players?"+query, "")
	if err := json.Unmarshal(w.Body.Bytes(), &l); err != nil {
		t.Fatalf("%s: %s", query, w.Body)
	}
	return l, w.Code
}

// The operator finds players by a part of the name, in any order, a page at a time.
func TestListOfPlayers(t *testing.T) {
	cfg, asked := withDashboard(t)
	start := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for i, name := range []string{"dora", "alice", "björn", "carl", "alicia"} {
		g := admin.Guest{
			Name: name, Since: start.Add(time.Duration(i%4) * time.Minute), Zone: []string{"woods", "meadow"}[i%2],
			Transport: []string{"udp", "websocket", "none"}[i%3], RoundTrip: time.Duration(5-i) * time.Millisecond,
		}
		if i > 0 {
			g.Origin = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(9 - i)}), 32)
		}
		asked.guests = append(asked.guests, g)
	}
	for query, want := range map[string]string{
		"":                                 "alice alicia björn carl dora",
		"sort=name&order=desc":             "dora carl björn alicia alice",
		"sort=since":                       "alicia dora alice björn carl",
		"sort=since&order=desc":            "carl björn alice dora alicia",
		"sort=zone":                        "alice carl alicia björn dora",
		"sort=origin":                      "dora alicia carl björn alice",
		"sort=transport":                   "björn carl dora alice alicia",
		"sort=rtt":                         "alicia carl björn alice dora",
		"search=ALI":                       "alice alicia",
		"search=" + url.QueryEscape("BJÖ"): "björn",
		"search=" + url.QueryEscape("Ａｌｉｃｅ"): "alice",
		"search=+carl+":               "carl",
		"search=nobody":               "",
		"limit=2":                     "alice alicia",
		"limit=2&offset=2":            "björn carl",
		"limit=2&offset=4":            "dora",
		"limit=2&offset=400":          "dora", // they have left: the last page there is
		"limit=2&offset=4&search=ali": "alice alicia",
	} {
		l, status := ask(t, cfg, query)
		if got := strings.Join(l.names(), " "); status != 200 || got != want || l.Inside != 5 {
			t.Errorf("%s: %d, %q of %d, want %q", query, status, got, l.Inside, want)
		}
	}
	l, _ := ask(t, cfg, "search=dora")
	if p := l.Players[0]; p.Origin != "" || p.Transport != "udp" || p.Zone != "woods" || p.RTT != 5 || p.Since != start {
		t.Errorf("dora is %+v", p)
	}
	if slices.IndexFunc(asked.guests, func(g admin.Guest) bool { return g.Name == "dora" }) != 0 {
		t.Error("the list of the node has been sorted")
	}
}

// What cannot be asked for is said, by name.
func TestListOfPlayersRefuses(t *testing.T) {
	cfg, _ := withDashboard(t)
	for query, says := range map[string]string{
		"sort=hp": "sort is none of", "order=up": "order is neither", "limit=0": "limit is no whole number from 1 to 200",
		"limit=201": "limit is", "offset=-1": "offset is", "offset=1e9": "offset is", "limit=2&limit=3": "2 times",
		"page=2": `"page" is none of`, "search=" + strings.Repeat("a", 129): "search has more", "%zz": "cannot be read",
	} {
		if l, status := ask(t, cfg, query); status != 400 || !strings.Contains(l.Error, says) {
			t.Errorf("%s: %d %q, want 400 with %q", query, status, l.Error, says)
		}
	}
}

// Ten thousand players are asked of the node once in a second at most, however many look on, and an answer has a page.
func TestListOfManyPlayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, asked := withDashboard(t)
		for i := range 10_000 {
			asked.guests = append(asked.guests, admin.Guest{Name: fmt.Sprintf("player-%05d", i)})
		}
		h := admin.New(cfg)
		for i := range 20 {
			if w := do(h, "GET", "/players?limit=200&offset=9900", ""); w.Body.Len() > 40_000 || w.Code != 200 {
				t.Fatalf("%d: %d bytes", w.Code, w.Body.Len())
			}
			if asked.lists != 1+i/10 {
				t.Errorf("after %d ms the node has been asked %d times", i*100, asked.lists)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// A node that does not answer is no list without players.
func TestListOfPlayersOfABusyNode(t *testing.T) {
	cfg, asked := withDashboard(t)
	asked.err = errAway
	if l, status := ask(t, cfg, ""); status != 503 || strings.Contains(l.Error, "secret") || l.Error == "" {
		t.Errorf("%d %q", status, l.Error)
	}
}
