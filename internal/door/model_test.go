package door

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

// model drives a door as clients, workers and the world would, and holds it to what it promises. Its own books are as
// plain as can be: lists that are counted through.
type model struct {
	*Door
	cfg     Config
	keys    *line.Keyring
	now     time.Time
	room    int // in the queue
	world   int
	players int // who knock
	work    int // that a ticket costs, in bits

	seats  []modelSeat
	lane   []modelSeat           // with tokens
	inside map[string]netip.Addr // names in the world, and where they came from
	judged []judgement           // wrong passwords, oldest first
	guests []judgement           // that were made
	place  map[modelClient]modelPlace
}

// modelPlace is a client's place in the line: the ticket is empty for those that know nothing of tickets.
type modelPlace struct {
	turn   time.Time
	ticket string
}

const (
	modelGuests  = 4 // that one host may make
	modelHosts   = 3
	modelPlayers = 9
)

type modelSeat struct {
	*Seat
	knock Knock
	state seatState
	guest bool // that is to be made
}

type modelClient struct {
	addr netip.Addr
	name string
}

type judgement struct {
	at   time.Time
	addr netip.Addr
	name string
}

func newModel(t *rapid.T) *model {
	m := &model{
		now:    time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		inside: map[string]netip.Addr{}, place: map[modelClient]modelPlace{},
		room: rapid.IntRange(2, 12).Draw(t, "queue"), world: rapid.IntRange(1, 8).Draw(t, "world"),
		players: rapid.IntRange(1, modelPlayers).Draw(t, "players"),
		work:    rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "work"),
	}
	m.cfg = Config{
		Queue: m.room, World: m.world, MaxAge: 25 * time.Second, Batch: 4, OriginFailures: 10, Work: m.work,
		OriginGuests: modelGuests,
		Pace:         rapid.SampledFrom([]float64{0.01, 1, 8}).Draw(t, "pace"),
		Now:          func() time.Time { return m.now }, Jitter: func(time.Duration) time.Duration { return 0 },
	}
	var err error
	if m.keys, err = line.NewKeyring(nil, m.now); err != nil {
		t.Fatal(err)
	}
	m.open(t)
	return m
}

// open makes the model's door.
func (m *model) open(t *rapid.T) {
	var err error
	if m.Door, err = New(m.cfg); err != nil {
		t.Fatal(err)
	}
	m.SetKeyring(m.keys)
}

// move has another door go on in place of this one, when all that was under way is given up. Clients that know nothing
// of tickets are then newcomers.
func (m *model) move(t *rapid.T) {
	for _, s := range append(m.seats, m.lane...) {
		s.Close(NotJudged)
	}
	m.seats, m.lane = nil, nil
	before, locked := m.Stats(), m.Lockouts(100)
	m.cfg.State = m.State()
	m.open(t)
	after := m.Stats()
	if before.Seats != after.Seats || before.Held != after.Held || before.Locked != after.Locked ||
		before.Pace != after.Pace || !reflect.DeepEqual(locked, m.Lockouts(100)) {
		t.Fatalf("before %+v\n%+v\nafter %+v\n%+v", before, locked, after, m.Lockouts(100))
	}
	for c, p := range m.place {
		if p.ticket == "" {
			delete(m.place, c)
		}
	}
}

func (m *model) count(state seatState) (n int) {
	for _, s := range m.seats {
		if s.state == state {
			n++
		}
	}
	return n
}

// opened counts the open seats that match.
func (m *model) opened(match func(Knock) bool) (n int) {
	for _, s := range m.seats {
		if match(s.knock) {
			n++
		}
	}
	return n
}

func (m *model) failures(within time.Duration, match func(judgement) bool) (n int) {
	for _, j := range m.judged {
		if m.now.Sub(j.at) <= within && match(j) {
			n++
		}
	}
	return n
}

// knocks has a client knock, up to ten times at once.
func (m *model) knocks(t *rapid.T) {
	k := Knock{
		Addr:     netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(1, modelHosts).Draw(t, "host"))}),
		Name:     fmt.Sprintf("player-%d", rapid.IntRange(1, m.players).Draw(t, "player")),
		Want:     Want(rapid.IntRange(0, 1).Draw(t, "want")),
		Takeover: rapid.Bool().Draw(t, "takeover"),
	}
	for range rapid.IntRange(1, 10).Draw(t, "times") {
		m.knock(t, k)
	}
}

func (m *model) knock(t *rapid.T, k Knock) {
	client := modelClient{k.Addr, k.Name}
	if k.Name[len(k.Name)-1]%2 == 1 { // half of the players' clients know of tickets
		k.Holder = line.HolderOf([]byte(k.Addr.String() + k.Name))
		k.Ticket = []byte(m.place[client].ticket)
		if m.work > 0 && rapid.Bool().Draw(t, "works") {
			k.Work = prove(t, m.Work(), k.Holder)
		}
	}
	idle := m.count(queued) == 0 && m.now.Sub(m.came) > max(missed, m.paces[Fast].takes(4))
	_, hasSeat := m.inside[k.Name]
	turned, refused := m.TurnAway(k)
	if new := turned.Place.Ticket; new != "" {
		k.Ticket = []byte(new)
		if m.work > 0 {
			m.checkWork(t, &k)
		}
	}
	before := m.refused.knocking
	seat, err := m.Knock(k)
	soon := err == nil && turned.Place.Ticket != "" // the turn of a new ticket may come at once
	if r := (*rushgate.Refusal)(nil); !soon && errors.As(err, &r) != refused ||
		err != nil && (r.Reason != turned.Reason || r.Place.Turn != turned.Place.Turn) {
		t.Fatalf("a client (%s, %q) that was turned away with %+v (%v) is told %+v", k.Name, k.Ticket, turned, refused, r)
	}
	if err != nil {
		// An empty queue has no shares: what the origin has too many of is tries under way that may fail.
		crowded := m.refused.knocking.Share > before.Share && m.opened(func(o Knock) bool { return o.Addr == k.Addr }) > 0
		m.checkRefusal(t, k, err, idle && !crowded, hasSeat)
		m.checkPlace(t, client, &turned)
		return
	}
	if p := m.place[client]; p.ticket == "" || seat.ticket != nil { // a ticket may be kept for another time
		delete(m.place, client)
	}
	m.seats = append(m.seats, modelSeat{Seat: seat, knock: k})
	if n := m.count(queued); n > m.room {
		t.Fatalf("%d requests in a queue of %d", n, m.room)
	}
}

// checkWork checks that a client which was given a ticket had worked for it, and cannot have another by that.
func (m *model) checkWork(t *rapid.T, k *Knock) {
	nonce, _ := line.ParseNonce(k.Work)
	id, ok := m.ring.Load().ValidWork(m.now, k.Holder, nonce, m.work)
	if !ok || !m.spent.has(id) {
		t.Fatalf("a ticket for %q, which is a proof: %v", k.Work, ok)
	}
}

// checkRefusal checks that a refusal says when to come back, and is not one of those that must never be.
func (m *model) checkRefusal(t *rapid.T, k Knock, err error, idle, hasSeat bool) {
	var refusal *rushgate.Refusal
	if !errors.As(err, &refusal) || refusal.RetryAfter <= 0 {
		t.Fatalf("refused without a time to come back: %v", err)
	}
	switch refusal.Reason {
	case rushgate.RateLimited:
		related := func(addr netip.Addr, name string) bool { return addr == k.Addr || name == k.Name }
		recent := m.failures(OriginWindow+LockoutTime, func(j judgement) bool { return related(j.addr, j.name) })
		if open := m.opened(func(o Knock) bool { return related(o.Addr, o.Name) }); recent+open < FailureLimit {
			t.Fatalf("limited after %d failures and with %d knocks under way", recent, open)
		}
	case rushgate.ServerBusy:
		if refusal.RetryAfter > MaxRetryAfter {
			t.Fatalf("told to wait %v", refusal.RetryAfter)
		}
		if idle && (hasSeat || m.Stats().Seats < m.world) {
			t.Fatalf("refused with nothing to do: %+v, %+v", refusal, m.Stats())
		}
	default:
		t.Fatalf("refused for %v", refusal.Reason)
	}
}

// checkPlace checks that a client keeps its place until it is used, or lost for a cause that it is told.
func (m *model) checkPlace(t *rapid.T, c modelClient, r *rushgate.Refusal) {
	told := r.Place
	if (r.Work.Bits > 0) != (r.Work.Salt != [8]byte{}) || r.Work.Bits > 0 && (m.work == 0 || told.Number > 0) {
		t.Fatalf("asked for %+v, told %+v", r.Work, told)
	}
	if told.Number == 0 {
		return
	}
	if m.work > 0 && told.Ticket == "" && m.place[c].ticket == "" {
		t.Fatalf("a place without a ticket: %+v", told)
	}
	if told.Low > told.High || told.PollAfter <= 0 {
		t.Fatalf("told %+v", told)
	}
	before, had := m.place[c]
	switch {
	case told.Lost != "" && (before.ticket == "" || told.Ticket == ""):
		t.Fatalf("without a ticket: %+v", told)
	case told.Ticket != "" && before.ticket != "" && told.Lost == "":
		t.Fatalf("%+v for one that had a ticket", told)
	case had && told.Lost == "" && told.Turn != before.turn &&
		(before.ticket != "" || m.now.Sub(before.turn) < line.MinGrace):
		t.Fatalf("a client whose turn was %v is now told %+v", before.turn, told)
	case told.Ticket != "":
		before.ticket = told.Ticket
	}
	before.turn = told.Turn
	m.place[c] = before
}

// taken is how many names have a place in the world: inside, or on the way.
func (m *model) taken() int {
	names := map[string]bool{}
	for name := range m.inside {
		names[name] = true
	}
	for _, s := range m.seats {
		names[s.knock.Name] = true
	}
	for _, s := range m.lane {
		if s.state == inHand { // which has sat down
			names[s.knock.Name] = true
		}
	}
	return len(names)
}

// take has a worker take the oldest requests.
func (m *model) take(t *rapid.T) {
	n := rapid.IntRange(1, 4).Draw(t, "batch")
	for i := range m.seats {
		if m.seats[i].state == queued && n > 0 {
			m.seats[i].Take()
			m.seats[i].state = inHand
			n--
		}
	}
}

func (m *model) slow(t *rapid.T) {
	for i := range m.seats {
		if m.seats[i].state == inHand {
			if m.seats[i].Slow() == nil {
				m.seats[i].state = slow
			}
			return
		}
	}
}

func (m *model) close(t *rapid.T) {
	if len(m.seats) == 0 {
		t.Skip("no seat")
	}
	i := rapid.IntRange(0, len(m.seats)-1).Draw(t, "seat")
	s := m.seats[i]
	m.seats = append(m.seats[:i], m.seats[i+1:]...)
	outcomes := []Outcome{NotJudged, Wrong, Wrong, Unknown, Right, Inside}
	if s.knock.Want == Register {
		outcomes = []Outcome{NotJudged, Taken, Inside}
	}
	o := rapid.SampledFrom(outcomes).Draw(t, "outcome")
	switch o {
	case Wrong, Unknown:
		m.judged = append(m.judged, judgement{m.now, s.knock.Addr, s.knock.Name})
	case Taken: // a failure of the origin, and no guess at the account
		m.judged = append(m.judged, judgement{m.now, s.knock.Addr, "taken: " + s.knock.Name})
	case Right, Inside:
		m.forgive(s.knock)
	}
	if o == Inside {
		m.inside[s.knock.Name] = s.knock.Addr
	}
	if s.state != queued {
		m.Served(Fast, 1)
	}
	s.Close(o)
	s.Close(Wrong) // only the first counts
}

// resume has a client show a token.
func (m *model) resume(t *rapid.T) {
	k := Knock{
		Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(1, modelHosts).Draw(t, "host"))}),
		Name: fmt.Sprintf("player-%d", rapid.IntRange(1, m.players).Draw(t, "player")),
		Want: rapid.SampledFrom([]Want{Resume, Continue, Forget, Identity}).Draw(t, "want"),
	}
	for range rapid.IntRange(1, 40).Draw(t, "times") {
		k := k
		if k.Want == Identity { // of which the name is not known yet
			k.Name = "identity of " + k.Name
		}
		seat, err := m.Resume(k)
		if err != nil {
			m.checkRefusal(t, k, err, false, false)
			continue
		}
		m.lane = append(m.lane, modelSeat{Seat: seat, knock: k})
	}
}

// judge says what a token is worth, and seats its player in the world if it is good and there is room.
func (m *model) judge(t *rapid.T) {
	if len(m.lane) == 0 {
		t.Skip("no token")
	}
	i := rapid.IntRange(0, len(m.lane)-1).Draw(t, "token")
	s := &m.lane[i]
	if s.knock.Want == Identity && s.state == queued && !m.identify(t, s) {
		return
	}
	if s.state == queued && s.knock.Want != Forget && rapid.Bool().Draw(t, "good") {
		if err := s.Sit(Proven{Name: s.knock.Name}); err == nil {
			s.state = inHand
			return
		}
	}
	o := rapid.SampledFrom([]Outcome{NotJudged, Unknown, Right}).Draw(t, "outcome")
	if s.state == inHand {
		o = rapid.SampledFrom([]Outcome{NotJudged, Right, Inside}).Draw(t, "outcome")
	}
	switch o {
	case Unknown: // a failure of the origin alone
		m.judged = append(m.judged, judgement{m.now, s.knock.Addr, "token of " + s.knock.Name})
	case Right, Inside:
		m.forgive(s.knock)
	}
	if o == Inside {
		m.inside[s.knock.Name] = s.knock.Addr
		if s.guest {
			m.guests = append(m.guests, judgement{m.now, s.knock.Addr, s.knock.Name})
		}
	}
	m.Served(Resumes, 1)
	s.Close(o)
	m.lane = append(m.lane[:i], m.lane[i+1:]...)
}

// identify says whose the seat of an identity is, which may be a guest's who is to be made, and reports whether that is
// not refused. A seat that has been told already may be told again, also of another name.
func (m *model) identify(t *rapid.T, s *modelSeat) bool {
	if rapid.Bool().Draw(t, "a new guest") {
		if err := s.Make(Guest); err != nil {
			m.checkRefusal(t, s.knock, err, false, false)
			return false
		}
		s.guest = true
	}
	s.knock.Name = fmt.Sprintf("player-%d", rapid.IntRange(1, m.players).Draw(t, "whose"))
	s.Identify(s.knock.Name)
	return true
}

// forgive forgives what an origin has failed at an account.
func (m *model) forgive(k Knock) {
	for j := range m.judged {
		if m.judged[j].addr == k.Addr && m.judged[j].name == k.Name {
			m.judged[j].name += " forgiven"
		}
	}
}

func (m *model) leave(t *rapid.T) {
	for name := range m.inside { // any
		delete(m.inside, name)
		m.Left(name, Departure(rapid.IntRange(0, 2).Draw(t, "departure")))
		return
	}
}

// check holds the door to what must be true at all times.
func (m *model) check(t *rapid.T) {
	s := m.Stats()
	if s.Queued != m.count(queued) || s.InHand != m.count(inHand) || s.Slow != m.count(slow) {
		t.Fatalf("the door counts %d, %d and %d, there are %d, %d and %d", s.Queued, s.InHand, s.Slow,
			m.count(queued), m.count(inHand), m.count(slow))
	}
	if s.Resumes != len(m.lane) {
		t.Fatalf("the door counts %d in the lane of tokens, there are %d", s.Resumes, len(m.lane))
	}
	if s.Seats > m.world || m.taken() > s.Seats {
		t.Fatalf("%d seats for %d players in a world of %d", s.Seats, m.taken(), m.world)
	}
	if s.Seats > m.taken()+s.Held {
		t.Fatalf("%d seats for %d players and %d held: some have leaked", s.Seats, m.taken(), s.Held)
	}
	if !(s.Pace > 0) {
		t.Fatalf("pace %v", s.Pace)
	}
	for host := byte(1); host <= modelHosts; host++ {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, host})
		made := 0
		for _, g := range m.guests {
			if g.addr == addr && m.now.Sub(g.at) <= GuestWindow {
				made++
			}
		}
		for _, s := range m.lane {
			if s.guest && s.knock.Addr == addr {
				made++
			}
		}
		if made > 2*modelGuests { // so many at once, and as many that leak meanwhile
			t.Fatalf("%v has made %d guests within %v", addr, made, GuestWindow)
		}
		for player := range modelPlayers + 1 {
			name := fmt.Sprintf("player-%d", player)
			n := m.failures(FailureWindow, func(j judgement) bool { return j.addr == addr && j.name == name }) +
				m.opened(func(k Knock) bool { return k.guesses() && k.Addr == addr && k.Name == name })
			if n > FailureLimit {
				t.Fatalf("%d guesses of %v at %s within %v", n, addr, name, FailureWindow)
			}
		}
	}
}

// Whatever knocks, in whatever order: guesses are bounded, those in flight included; seats are neither oversold nor
// lost; every refusal has a time to come back; a door with nothing to do lets in.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		t.Repeat(map[string]func(*rapid.T){
			"knock":  m.knocks,
			"resume": m.resume,
			"judge":  m.judge,
			"take":   m.take,
			"slow":   m.slow,
			"close":  m.close,
			"leave":  m.leave,
			"move":   m.move,
			"wait": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			},
			"wait long": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "s")) * time.Second)
			},
			"": m.check,
		})
		// When everybody has left, everything is given back.
		for _, s := range append(m.seats, m.lane...) {
			s.Close(NotJudged)
		}
		for name := range m.inside {
			m.Left(name, Silent)
		}
		for i := range 2000 { // some four hours
			m.now = m.now.Add(time.Second)
			if i > 600 {
				m.now = m.now.Add(9 * time.Second)
			}
			m.Move()
		}
		if s := m.Stats(); s.Queued+s.InHand+s.Slow+s.Seats+s.Held+s.Promised+s.Locked != 0 {
			t.Fatalf("hours after the last has left: %+v", s)
		}
		if n := len(m.queue.networks) + len(m.Door.slow.networks) + len(m.places.networks) +
			len(m.resumes.networks); n != 0 {
			t.Fatalf("%d networks are still counted", n)
		}
	})
}
