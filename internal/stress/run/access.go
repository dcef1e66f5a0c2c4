package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rushgate/rushgate/client"
	lines "github.com/rushgate/rushgate/internal/line"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// LineMode is what the players know of the line of a server.
type LineMode string

// The modes.
const (
	LineAuto LineMode = "auto" // as the server offers: as with LineUDP, as with LineHTTP, or not at all
	LineHTTP LineMode = "http" // they have tickets, and go by the document that GET /v1/line is
	LineUDP  LineMode = "udp"  // they have tickets, and ask by UDP first; without an answer they do as with LineHTTP
	LineOff  LineMode = "off"  // they know nothing of a line, and go by Retry-After
)

// checkLine checks what the players do in the line.
func (cfg *Config) checkLine() error {
	modes := []LineMode{LineAuto, LineHTTP, LineUDP, LineOff}
	plays := cfg.Line == LineHTTP || cfg.Line == LineUDP
	switch {
	case !slices.Contains(modes, cfg.Line):
		return invalid("Line", fmt.Errorf("%q is none of %v", cfg.Line, modes))
	case plays && cfg.Adapter.Kind != "":
		return invalid("Line", errors.New("only a Rushgate server has a line"))
	case cfg.KnockAddr != "" && (cfg.Line == LineHTTP || cfg.Line == LineOff):
		return invalid("KnockAddr", fmt.Errorf("nobody asks by UDP if Line is %q", cfg.Line))
	case cfg.Crowd < 0 || cfg.Crowd > MaxClients:
		return invalid("Crowd", fmt.Errorf("%d is not within 0 to %d", cfg.Crowd, MaxClients))
	case cfg.Crowd > 0 && (cfg.Adapter.Kind != "" || !takesCrowd(cfg.Scenario)):
		return invalid("Crowd", errors.New("there is none in this scenario, or beside another server than Rushgate"))
	}
	if cfg.KnockAddr != "" {
		if _, _, err := net.SplitHostPort(cfg.KnockAddr); err != nil {
			return invalid("KnockAddr", err)
		}
	}
	return nil
}

// access is how the players of a run ask for their places in the server's line.
type access struct {
	network *network
	plays   bool             // they have tickets; otherwise they only take note of what they are told
	udp     []netip.AddrPort // where they ask first, each at one of them; none: not by UDP
	ahead   time.Duration    // by how much the clock of this machine is before that of the line
	shared  *sharedDocument  // nil: each reads it for itself
}

// errNoLine says that a server has no line.
var errNoLine = errors.New("the server has no line")

// meetLine finds out how the players can ask for their places.
func (r *run) meetLine(ctx context.Context, via http.RoundTripper, rep *report.Report) {
	cfg, a := &r.cfg, &r.access
	a.network = r.network
	if cfg.Line == LineOff || cfg.Adapter.Kind != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, client.DefaultTryTimeout)
	defer cancel()
	begin := time.Now()
	d, err := fetchDocument(ctx, via, cfg.Target)
	switch {
	case err == nil:
		middle := begin.Add(time.Since(begin) / 2)
		a.ahead = middle.Sub(time.UnixMilli(d.Now)).Round(0)
	case cfg.Line == LineAuto && errors.Is(err, errNoLine):
		return
	default:
		ignorant := cfg.Line == LineAuto
		rep.Note(fmt.Sprintf("the line of the server could not be read%s: %v",
			either(ignorant, ", so that the players knew nothing of it", ""), err))
		if ignorant {
			return
		}
	}
	a.plays = true
	if cfg.ShareDocument {
		a.shared = newSharedDocument()
	}
	if cfg.Line == LineHTTP {
		return
	}
	if a.udp, err = cfg.knockAddresses(ctx, d.UDP); err != nil {
		rep.Note(fmt.Sprintf("an address for knocks by UDP is of no use: %v", err))
	}
	if len(a.udp) == 0 && cfg.Line == LineUDP {
		rep.Note("the players asked over HTTP: there is no address for knocks by UDP, tell one (--knock-addr)")
	}
}

// document is a [lines.Document] with what the server adds to it.
type document struct {
	lines.Document
	UDP []string `json:"udp"` // addresses for knocks, host:port
}

// maxKnockAddresses bounds the addresses of a document that are used.
const maxKnockAddresses = 64

// knockAddresses returns where to knock by UDP: at the address of the configuration, or else at those that the server
// tells. The error says what is wrong with the last of those that are of no use.
func (cfg *Config) knockAddresses(ctx context.Context, told []string) (list []netip.AddrPort, err error) {
	if cfg.KnockAddr != "" {
		told = []string{cfg.KnockAddr}
	}
	for _, address := range told[:min(len(told), maxKnockAddresses)] {
		host, port, failed := net.SplitHostPort(address)
		if failed != nil {
			err = failed
			continue
		}
		if ip, failed := netip.ParseAddr(host); host == "" || failed == nil && ip.IsUnspecified() {
			if u, failed := url.Parse(cfg.Target); failed == nil {
				host = u.Hostname() // that of the server, whatever it calls itself
			}
		}
		resolved, failed := resolver.LookupNetIP(ctx, "ip", host)
		if failed != nil {
			err = failed
			continue
		}
		at, failed := netip.ParseAddrPort(net.JoinHostPort(resolved[0].Unmap().String(), port))
		if failed != nil || at.Port() == 0 {
			err = errors.Join(failed, fmt.Errorf("port %q", port))
			continue
		}
		list = append(list, at)
	}
	return list, err
}

// dialUDP makes the socket of a player for knocks.
func (a *access) dialUDP(ctx context.Context, number int) (net.Conn, error) {
	at := a.udp[number%len(a.udp)]
	if dial := a.network.realtimeDial(number); dial != nil {
		return dial(ctx, at)
	}
	return new(net.Dialer).DialContext(ctx, "udp", at.String())
}

// fetchDocument reads the document of the line of a server. The error wraps errNoLine if it has none.
func fetchDocument(ctx context.Context, via http.RoundTripper, target string) (d document, err error) {
	ctx, cancel := context.WithTimeout(ctx, client.DefaultTryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(target, "/")+"/v1/line", nil)
	if err != nil {
		return d, err
	}
	resp, err := via.RoundTrip(req)
	if err != nil {
		return d, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return d, err
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed:
		return d, fmt.Errorf("%w: HTTP status %d", errNoLine, resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return d, fmt.Errorf("HTTP status %d", resp.StatusCode)
	case len(body) > maxBody:
		return d, errTooLong
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return d, fmt.Errorf("not the document of a line: %w", err)
	}
	if d.Now == 0 || d.Serving == 0 {
		return d, errors.New("not the document of a line: it says neither the time nor which turns have come")
	}
	return d, nil
}

// sharedDocument is what a content delivery network does: it reads the document once a second, for all who ask.
type sharedDocument struct {
	turn chan struct{} // held by the player who reads; guards the rest
	last document
	err  error
	read time.Time
}

// sharedFor is for how long one reading serves all: the max-age that the server gives.
const sharedFor = time.Second

func newSharedDocument() *sharedDocument { return &sharedDocument{turn: make(chan struct{}, 1)} }

// get returns the document, which ask reads if it is older than a second. Players who ask meanwhile wait for that.
func (s *sharedDocument) get(ctx context.Context, ask func(context.Context) (document, error)) (document, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return document{}, ctx.Err()
	}
	if !s.read.IsZero() && time.Since(s.read) < sharedFor {
		return s.last, s.err
	}
	begin := time.Now()
	d, err := ask(ctx)
	if err == nil || ctx.Err() == nil { // that a player left says nothing to the others
		s.last, s.err, s.read = d, err, begin
	}
	return d, err
}
