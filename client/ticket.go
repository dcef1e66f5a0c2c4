package client

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// maxTicket is the longest ticket in characters that a server may give: more than 96 bytes do not go into a knock by
// UDP.
const maxTicket = 128

// maxProof is the longest proof in characters that a server may give.
const maxProof = 1024

// ErrNotTicket is wrapped by the errors of [ParseTicket].
var ErrNotTicket = errors.New("not a ticket")

// Ticket is what keeps a player's place in a server's line: the server's sealed ticket, and the secret without which it
// is worthless. The zero value is none. It outlives the program: keep what [Ticket.Text] returns where others cannot
// read it, and give it back by [Options.Ticket]. It is good for one login of any account.
//
// However a Ticket is printed, logged or marshalled, it shows nothing; only Text does.
type Ticket struct {
	hold func() place // a function, since fmt prints what fields hold, but never what a function returns
}

// place is one in the line, as a client holds it.
type place struct {
	secret string // chosen by the client
	// ticket was given or honoured over HTTP; empty if none was yet.
	ticket string
	// heard came by UDP, which may be forged: it is kept beside the other until the server has judged over HTTP. Empty:
	// none.
	heard string
	since time.Time // when the client was first told of the place; not part of the text
	// proof is that of a ticket of the world's line, whose player has proved to own an account, and owner stands for the
	// name and the password that were proved; empty otherwise. Neither is part of the text.
	proof string
	owner [sha256.Size]byte
}

// ownerOf returns what stands for an account and its password while a place of its own is kept.
func (p *place) ownerOf(username, password string) [sha256.Size]byte {
	return sha256.Sum256([]byte(p.secret + "\x00" + username + "\x00" + password))
}

func newPlace() place { return place{secret: rand.Text()} }

// held reports whether the place is one that a server knows.
func (p *place) held() bool { return p.ticket != "" || p.heard != "" }

// best returns the ticket to show over HTTP: the one that is known to be the server's, since what came by UDP may have
// been forged, or have been given in exchange for a forged one.
func (p *place) best() string {
	if p.ticket != "" {
		return p.ticket
	}
	return p.heard
}

// ticketVersion begins the text of a ticket.
const ticketVersion = "rgt1"

// Text returns the ticket as text of at most 400 characters of A-Z, a-z, 0-9, '-', '_' and '.', for [ParseTicket]; ""
// for no ticket. Who has the text has the place.
func (t Ticket) Text() string {
	if t.IsZero() {
		return ""
	}
	p := t.hold()
	return strings.Join([]string{ticketVersion, p.secret, p.ticket, p.heard}, ".")
}

// ParseTicket reads what [Ticket.Text] returned; "" is no ticket. The error wraps [ErrNotTicket], and does not repeat
// the text.
func ParseTicket(text string) (Ticket, error) {
	if text == "" {
		return Ticket{}, nil
	}
	parts := strings.Split(text[:min(len(text), 1024)], ".")
	if len(parts) != 4 || parts[0] != ticketVersion {
		return Ticket{}, fmt.Errorf("client: %w: not the text of a ticket of this version", ErrNotTicket)
	}
	p := place{secret: parts[1], ticket: parts[2], heard: parts[3]}
	switch {
	case !urlSafe(p.secret, 16, 64):
		return Ticket{}, fmt.Errorf("client: %w: its secret is not 16 to 64 good characters", ErrNotTicket)
	case !urlSafe(p.ticket, 0, maxTicket), !urlSafe(p.heard, 0, maxTicket):
		return Ticket{}, fmt.Errorf("client: %w: longer than %d characters, or of others", ErrNotTicket, maxTicket)
	case !p.held():
		return Ticket{}, fmt.Errorf("client: %w: a secret alone", ErrNotTicket)
	}
	return ticketOf(p), nil
}

func ticketOf(p place) Ticket {
	if !p.held() || p.proof != "" { // without the password it would be of no use
		return Ticket{}
	}
	return Ticket{func() place { return p }}
}

// IsZero reports whether there is no ticket.
func (t Ticket) IsZero() bool { return t.hold == nil }

// String says whether there is a ticket, and not which.
func (t Ticket) String() string {
	if t.IsZero() {
		return "no ticket"
	}
	return "a ticket"
}

// GoString is [Ticket.String] for the verb %#v.
func (t Ticket) GoString() string { return "client.Ticket{" + t.String() + "}" }

// LogValue is [Ticket.String] for log/slog.
func (t Ticket) LogValue() slog.Value { return slog.StringValue(t.String()) }

// urlSafe reports whether s has so many of the characters A-Z, a-z, 0-9, '-' and '_', and no others.
func urlSafe(s string, least, most int) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return least <= len(s) && len(s) <= most
}

// takePlace returns the place that the client keeps, which it then keeps no longer, or else a new one. One in the
// world's line is for a login with the same name and password alone.
func (c *Client) takePlace(login bool, username, password string) place {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.kept.held() || c.kept.proof != "" && (!login || c.kept.owner != c.kept.ownerOf(username, password)) {
		return newPlace()
	}
	p := c.kept
	c.kept = place{}
	return p
}

// keepPlace keeps a place for the next call. Of two it keeps the one that was had longer.
func (c *Client) keepPlace(p place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.held() && (!c.kept.held() || p.since.Before(c.kept.since)) {
		c.kept = p
	}
}
