package api

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/line"
)

// small is a world of some seats, at a time of its own.
type small struct {
	*gate
	door *door.Door
	ring *line.Keyring
	cfg  door.Config

	mu  sync.Mutex
	now time.Time
}

func newSmall(t *testing.T, seats int) *small {
	t.Helper()
	s := &small{now: time.Now()}
	s.cfg = door.Config{
		Queue: 50, World: seats, MaxAge: auth.DefaultMaxAge, Batch: 1, Pace: 100,
		Now:    func() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.now },
		Jitter: func(time.Duration) time.Duration { return 0 },
	}
	var err error
	if s.ring, err = line.NewKeyring(nil, s.now); err != nil {
		t.Fatal(err)
	}
	s.door = s.node(t, nil)
	s.gate = newDoor(t, func(p *auth.Config, c *Config) { p.Door = s.door })
	return s
}

// node returns a door of the same fleet, with what an earlier run has saved of the world's line.
func (s *small) node(t *testing.T, state []byte) *door.Door {
	t.Helper()
	cfg := s.cfg
	cfg.WorldLine.State = state
	d, err := door.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.SetKeyring(s.ring)
	return d
}

func (s *small) pass(d time.Duration) {
	for range d / (100 * time.Millisecond) {
		s.mu.Lock()
		s.now = s.now.Add(100 * time.Millisecond)
		s.mu.Unlock()
		s.door.Move()
	}
}

// player is one who waits, as its client holds it.
type player struct {
	*small
	name, addr, secret, ticket, proof string
}

func (s *small) player(n int) *player {
	return &player{small: s, name: fmt.Sprintf("player-%d", n), addr: fmt.Sprint("192.0.2.", n),
		secret: fmt.Sprintf("secret-of-player-%d", n)}
}

func (p *player) account(t *testing.T) *player {
	t.Helper()
	e := p.call(t, "POST", "/v1/register", creds(p.name, "correct horse"), p.addr, "")
	e.want(t, "register", 201, "")
	p.leave(t, e)
	return p
}

func (p *player) leave(t *testing.T, e exchange) {
	t.Helper()
	token, _ := e.json["session_token"].(string)
	p.call(t, "POST", "/v1/logout", "", p.addr, token).want(t, "logout", 204, "")
	p.door.Left(p.name, door.Left)
}

// login logs in with wait, and keeps what it is given.
func (p *player) login(t *testing.T, password string) exchange {
	t.Helper()
	e := p.call(t, "POST", "/v1/login", fmt.Sprintf(`{"username":%q,"password":%q,"line_secret":%q,"wait":true}`,
		p.name, password, p.secret), p.addr, "")
	p.keep(e)
	return e
}

func (p *player) keep(e exchange) {
	if ticket, ok := e.json["ticket"].(string); ok {
		p.ticket = ticket
		p.proof, _ = e.json["proof"].(string)
	}
}

func (p *player) enter(t *testing.T, attempt string) exchange {
	t.Helper()
	e := p.call(t, "POST", "/v1/enter", fmt.Sprintf(`{"ticket":%q,"line_secret":%q,"proof":%q,"attempt_id":%q}`,
		p.ticket, p.secret, p.proof, attempt), p.addr, "")
	p.keep(e)
	return e
}

// waits has the player find the world full, and wait.
func (p *player) waits(t *testing.T) {
	t.Helper()
	e := p.login(t, "correct horse")
	e.want(t, p.name+" finds no seat", 503, rushgate.ServerBusy)
	if len(p.ticket) != line.TextSize || p.proof == "" || e.json["place"] == nil || e.json["turn_ms"] == nil {
		t.Fatalf("%s is told %s", p.name, e.body)
	}
}

// A player who finds the world full logs in once, keeps the place over a drop, and comes in by turn, without the
// password; newcomers do not overtake, whether they wait or not.
func TestALineForTheWorld(t *testing.T) {
	s := newSmall(t, 1)
	var p []*player
	for i := range 4 {
		p = append(p, s.player(i+1).account(t))
	}
	inside := p[0].login(t, "correct horse")
	inside.want(t, "a seat is free", 200, "")
	s.pass(time.Second)
	s.player(1).login(t, "wrong").want(t, "a wrong password", 401, rushgate.BadCredentials)
	p[2].login(t, "wrong").want(t, "a wrong password in a full world", 401, rushgate.BadCredentials)

	p[1].waits(t)
	s.pass(time.Second)
	p[2].waits(t)
	again := p[1].enter(t, "")
	again.want(t, "not yet", 503, rushgate.ServerBusy)
	if again.json["place"] != 1.0 || again.json["ticket"] != nil || again.json["proof"] != nil {
		t.Errorf("the first is told %s", again.body)
	}
	if e := p[2].enter(t, ""); e.json["place"] != 2.0 {
		t.Errorf("the second is told %s", e.body)
	}
	doc := s.call(t, "GET", "/v1/line?line=world", "", "", "")
	doc.want(t, "the line of the world", 200, "")
	if doc.json["waiting"] != 2.0 || doc.json["poll_most_ms"] != 5000.0 {
		t.Errorf("the line of the world is %s", doc.body)
	}

	p[0].leave(t, inside)
	s.pass(2 * time.Second)
	full := s.call(t, "POST", "/v1/login", creds(p[3].name, "correct horse"), p[3].addr, "")
	full.want(t, "a newcomer while others wait", 503, rushgate.ServerBusy)
	if full.json["place"] != nil {
		t.Errorf("one that does not wait is told %s", full.body)
	}
	p[3].waits(t)
	p[2].enter(t, "").want(t, "the second before its turn", 503, rushgate.ServerBusy)
	inside = p[1].enter(t, "attempt-1")
	inside.want(t, "its turn", 200, "")
	lost := p[1].enter(t, "attempt-1")
	lost.want(t, "the answer was lost", 200, "")
	if lost.json["session_token"] != inside.json["session_token"] {
		t.Error("the lost answer is another")
	}
	p[1].enter(t, "attempt-2").want(t, "used, from another try", 409, rushgate.AlreadyLoggedIn)
	p[1].leave(t, inside)
	p[1].enter(t, "attempt-1").want(t, "used", 401, rushgate.BadCredentials)

	s.pass(2 * time.Minute) // the second has dropped, and comes late
	p[2].enter(t, "").want(t, "late within the grace", 200, "")
}

// A player who comes later than the grace is told so, and goes to the end of the line, with proof of who it is.
func TestAPlaceForTheWorldThatIsLost(t *testing.T) {
	s := newSmall(t, 1)
	a, b := s.player(1).account(t), s.player(2).account(t)
	first := a.login(t, "correct horse")
	s.pass(time.Second)
	b.waits(t)
	a.leave(t, first)
	s.pass(line.DefaultGrace + time.Minute)
	first = a.login(t, "correct horse")
	first.want(t, "those who were called are gone", 200, "")
	old := *b
	e := b.enter(t, "")
	e.want(t, "too late", 503, rushgate.ServerBusy)
	if e.json["place_lost"] != "expired" || b.ticket == old.ticket || b.proof == old.proof || b.proof == "" {
		t.Errorf("told %s", e.body)
	}
	a.leave(t, first)
	s.pass(2 * time.Second)
	b.enter(t, "").want(t, "its turn", 200, "")
}

// What is not the player's own ticket with its own proof leads nowhere.
func TestForgedEntries(t *testing.T) {
	s := newSmall(t, 1)
	a, b, c := s.player(1).account(t), s.player(2).account(t), s.player(3).account(t)
	first := a.login(t, "correct horse")
	s.pass(time.Second)
	b.waits(t)
	c.waits(t)
	foreign, err := line.NewKeyring(nil, s.now)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := foreign.SealProof(&line.Proof{At: s.now, Player: 2, Holder: line.HolderOf([]byte(b.secret))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	doorTicket := line.EncodeText(s.ring.Seal(nil, &line.Ticket{
		Turn: s.now, Issued: s.now, Holder: line.HolderOf([]byte(b.secret)),
	}))
	a.leave(t, first)
	s.pass(2 * time.Second)
	for what, p := range map[string]player{
		"another's secret":             {secret: c.secret, ticket: b.ticket, proof: b.proof},
		"another's proof":              {secret: b.secret, ticket: b.ticket, proof: c.proof},
		"another's ticket":             {secret: b.secret, ticket: c.ticket, proof: b.proof},
		"another's both":               {secret: b.secret, ticket: c.ticket, proof: c.proof},
		"of another fleet":             {secret: b.secret, ticket: b.ticket, proof: forged},
		"a ticket of the door's line":  {secret: b.secret, ticket: doorTicket, proof: b.proof},
		"the ticket as a proof":        {secret: b.secret, ticket: b.ticket, proof: b.ticket},
		"altered":                      {secret: b.secret, ticket: b.ticket, proof: "B" + b.proof[1:]},
		"cut":                          {secret: b.secret, ticket: b.ticket, proof: b.proof[:len(b.proof)-4]},
		"no ticket that could be read": {secret: b.secret, ticket: "none", proof: b.proof},
	} {
		p.small, p.addr = s, "192.0.2.66"
		p.enter(t, "").want(t, what, 401, rushgate.BadCredentials)
	}
	for what, body := range map[string]string{
		"nothing":         `{}`,
		"no proof":        fmt.Sprintf(`{"ticket":%q,"line_secret":%q}`, b.ticket, b.secret),
		"an empty ticket": fmt.Sprintf(`{"ticket":"","line_secret":%q,"proof":%q}`, b.secret, b.proof),
		"a long proof": fmt.Sprintf(`{"ticket":%q,"line_secret":%q,"proof":%q}`, b.ticket, b.secret,
			strings.Repeat("A", line.MaxProofText+1)),
		"a bad attempt": fmt.Sprintf(`{"ticket":%q,"line_secret":%q,"proof":%q,"attempt_id":"a b"}`,
			b.ticket, b.secret, b.proof),
		"a password": fmt.Sprintf(`{"ticket":%q,"line_secret":%q,"proof":%q,"password":"x"}`,
			b.ticket, b.secret, b.proof),
	} {
		s.call(t, "POST", "/v1/enter", body, "192.0.2.66", "").want(t, what, 400, rushgate.MissingCredentials)
	}
	noSecret := `{"username":"alice","password":"correct horse","wait":true}`
	s.call(t, "POST", "/v1/login", noSecret, "192.0.2.66", "").want(t, "wait alone", 400, rushgate.MissingCredentials)
	registers := `{"username":"alice","password":"correct horse","line_secret":"0123456789abcdef","wait":true}`
	s.call(t, "POST", "/v1/register", registers, "192.0.2.66", "").want(t, "register", 400, rushgate.MissingCredentials)
	s.call(t, "GET", "/v1/line?line=elsewhere", "", "", "").want(t, "no such line", 400, rushgate.MissingCredentials)
	s.call(t, "GET", "/v1/line?line=door", "", "", "").want(t, "the door's line", 200, "")
	b.enter(t, "").want(t, "its own", 200, "")
}

// A proof ends with the account's epoch, and a ban is told to a player who waits.
func TestWhatChangesWhileAPlayerWaits(t *testing.T) {
	for what, tt := range map[string]struct {
		change rushgate.AccountChange
		status int
		reason rushgate.Reason
	}{
		"epoch": {rushgate.AccountChange{RaiseEpoch: true}, 401, rushgate.BadCredentials},
		"ban": {rushgate.AccountChange{Disabled: &rushgate.Disabled{Until: rushgate.Forever(), Reason: "cheating"}},
			403, rushgate.AccountDisabled},
	} {
		t.Run(what, func(t *testing.T) {
			s := newSmall(t, 1)
			a, b := s.player(1).account(t), s.player(2).account(t)
			first := a.login(t, "correct horse")
			s.pass(time.Second)
			b.waits(t)
			accounts, err := s.store.LoadAccounts(t.Context(), []string{b.name})
			if err != nil {
				t.Fatal(err)
			}
			tt.change.Player, tt.change.Name = accounts[0].ID, b.name
			changes := []rushgate.AccountChange{tt.change}
			if errs, err := s.store.UpdateAccounts(t.Context(), changes); err != nil || errs[0] != nil {
				t.Fatal(err, errs)
			}
			a.leave(t, first)
			s.pass(2 * time.Second)
			b.enter(t, "").want(t, what, tt.status, tt.reason)
			b.enter(t, "").want(t, what+" again", 401, rushgate.BadCredentials)
			a.login(t, "correct horse").want(t, "the seat is free", 200, "")
		})
	}
}

// A node that starts again honours the places of the run before, in their order; and so does another node of the fleet.
func TestOtherRunsHonourPlacesForTheWorld(t *testing.T) {
	s := newSmall(t, 1)
	a, b, c := s.player(1).account(t), s.player(2).account(t), s.player(3).account(t)
	a.login(t, "correct horse").want(t, "a seat", 200, "")
	s.pass(time.Second)
	b.waits(t)
	s.pass(time.Second)
	c.waits(t)
	knock := func(d *door.Door, p *player) error {
		pass, err := d.Recognise(line.HolderOf([]byte(p.secret)), p.ticket, p.proof)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Enter(door.Knock{Addr: netip.MustParseAddr(p.addr)}, pass)
		return err
	}
	again := s.node(t, s.door.WorldState())
	if err := knock(again, c); rushgate.ReasonOf(err) != rushgate.ServerBusy {
		t.Errorf("the second of the run before: %v", err)
	}
	s.door = again
	s.pass(2 * time.Second)
	if err := knock(again, b); err != nil {
		t.Errorf("the first of the run before: %v", err)
	}
	if err := knock(again, c); rushgate.ReasonOf(err) != rushgate.ServerBusy {
		t.Errorf("the second of the run before, when the first is inside: %v", err)
	}
	other := s.node(t, nil)
	s.door = other
	s.pass(2 * time.Second)
	if err := knock(other, c); err != nil {
		t.Errorf("at a node with room: %v", err)
	}
}
