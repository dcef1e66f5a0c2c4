package storetest

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

// runModel drives a store with random sequences of calls and compares each answer with that of a model.
func runModel(t *testing.T, h Harness) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{
			h: h, s: h.Open(t), nextID: 1 << 20, held: make(map[string]modelHold),
			players: make(map[rushgate.PlayerID]*modelPlayer), wanted: make(map[string]map[rushgate.Lease]asked),
			shared: make(map[string]string), tasks: make(map[rushgate.TaskID]rushgate.Task),
		}
		defer func() {
			if err := m.s.Close(); err != nil {
				rt.Errorf("Close: %v", err)
			}
		}()
		m.started = h.now(t, m.s)
		deleteAccount(t, m.s, whoTellsTheTime)
		actions := map[string]func(*rapid.T){
			"admit":      m.admit,
			"save":       m.save,
			"refresh":    m.refresh,
			"advance":    m.advance,
			"load":       m.load,
			"characters": m.characters,
			"create":     m.create,
			"change":     m.change,
			"delete":     m.delete,
			"top":        m.top,
			"presence":   m.presence,
			"reserve":    m.reserve,
			"wanted":     m.takeWanted,
			"set aside":  m.setAside,
			"import":     m.bringIn,
			"shared":     m.readShared,
			"swap":       m.swapShared,
			"rename":     m.rename,
			"usernames":  m.usernames,
			"held names": m.heldNames,
			"hold":       m.hold,
			"note":       m.note,
			"histories":  m.histories,
			"plan":       m.plan,
			"take":       m.takeTasks,
			"drop":       m.dropTask,
			"plan again": m.planAgain,
			"task":       m.loadTask,
			"append":     m.appendAudit,
			"trim":       m.trimAudit,
			"audit":      m.loadAudit,
		}
		if h.Reopen != nil {
			actions["reopen"] = func(*rapid.T) {
				m.s = h.Reopen(t, m.s)
				m.forgiveWanted()
			}
		}
		rt.Repeat(actions)
	})
}

// machine is a store and the model of what is in it.
type machine struct {
	h Harness

	s rushgate.Store

	now     time.Duration // since the start
	started time.Time     // what the store's clock showed then
	players map[rushgate.PlayerID]*modelPlayer
	nextID  rushgate.PlayerID                   // for the next account
	lastID  rushgate.PlayerID                   // the greatest one reserved or set aside
	imports rushgate.PlayerID                   // those up to this one are set aside
	wanted  map[string]map[rushgate.Lease]asked // by node
	shared  map[string]string                   // what the fleet shares, by name
	held    map[string]modelHold                // by name
	tasks   map[rushgate.TaskID]rushgate.Task
	taken   []rushgate.Task // as they were returned
	audit   modelAudit
}

type modelPlayer struct {
	account   rushgate.Account
	character rushgate.Character
	events    []rushgate.AccountEvent // the oldest first
	renamed   rushgate.Rename         // the last one
	fence     uint64                  // that of the last claim; its value is the store's choice
	previous  uint64                  // that of the claim before
	held      bool                    // claimed and not released
	parked    bool                    // and not claimed or released since
	by        rushgate.Instance
	attempt   string        // that has opened the session
	session   string        // that can be continued, if held or parked
	expires   time.Duration // of the lease, or the parking
	claimed   uint64        // the epoch under which
	disabled  time.Duration // until then
}

var (
	modelNames    = []string{"ann", "bob", "cyd", "dan"}
	modelHashes   = []string{"h1", "h2", "h3"}
	modelAttempts = []string{"x", "y"}
)

func pick[T any](t *rapid.T, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(t, label)
}

func (m *machine) byName(name string) *modelPlayer {
	for _, p := range m.players {
		if p.account.Username == name {
			return p
		}
	}
	return nil
}

// inside reports whether a player's lease is live.
func (m *machine) inside(p *modelPlayer) bool { return p.held && m.now < p.expires }

// lease is the player's present lease, or the last one.
func (p *modelPlayer) lease() rushgate.Lease {
	return rushgate.Lease{Player: p.account.ID, Name: p.account.Username, Fence: p.fence}
}

// name draws the name of the player of an id, or sometimes another's.
func (m *machine) name(t *rapid.T, id rushgate.PlayerID) string {
	right := "nobody"
	if p := m.players[id]; p != nil {
		right = p.account.Username
	}
	return pick(t, "name", right, right, right, right, right, right, modelNames[0], "nobody")
}

// player draws the id of a player, sometimes of one that does not exist.
func (m *machine) player(t *rapid.T) rushgate.PlayerID {
	ids := append(slices.Sorted(maps.Keys(m.players)), 1<<40)
	return pick(t, "player", ids...)
}

func (m *machine) admit(t *rapid.T) {
	by := pick(t, "by", nodeA, nodeA2, nodeB)
	var batch []rushgate.Admission
	for range rapid.IntRange(1, 4).Draw(t, "batch size") {
		batch = append(batch, m.admission(t))
	}
	got, err := m.s.Admit(t.Context(), by, batch)
	if err != nil || len(got) != len(batch) {
		t.Fatalf("Admit of %d: %d results, %v", len(batch), len(got), err)
	}
	for i := range batch {
		m.checkAdmitted(t, by, &batch[i], &got[i])
	}
}

func (m *machine) admission(t *rapid.T) rushgate.Admission {
	a := rushgate.Admission{
		Attempt: pick(t, "attempt", modelAttempts...), Takeover: rapid.Bool().Draw(t, "takeover"),
		Session: pick(t, "session", modelSessions...),
		Gone:    pick(t, "gone", rushgate.Instance{}, rushgate.Instance{}, rushgate.Instance{}, nodeA, nodeA2, nodeB),
	}
	a.Account.PasswordHash = pick(t, "hash", modelHashes...)
	if a.Create = rapid.Bool().Draw(t, "create"); !a.Create {
		a.Account.ID = m.player(t)
		a.Account.Username = m.name(t, a.Account.ID)
		a.Account.Epoch = m.epoch(t, a.Account.ID)
		a.Devices, a.Account.Devices.Revision = m.devices(t, a.Account.ID)
		a.Credentials, a.Account.Credentials = m.credentials(t, a.Account.ID)
		if a.Continue = rapid.Bool().Draw(t, "continue"); a.Continue {
			m.continued(t, &a)
			return a
		}
		a.NewHash = pick(t, "new hash", "", "", "h1", "h2", "h3")
		return a
	}
	a.Devices = pick(t, "devices", modelDevices...)
	a.Account.ID = m.nextID
	m.nextID++
	a.Account.Username = pick(t, "name", modelNames...)
	a.Account.Attempt = pick(t, "account attempt", "", "x", "y")
	a.Account.CreatedAt = epoch.Add(m.now)
	a.Account.Version = rapid.IntRange(0, rushgate.AccountVersion).Draw(t, "version")
	return a
}

// checkAdmitted carries one admission out in the model and compares the results.
func (m *machine) checkAdmitted(t *rapid.T, by rushgate.Instance, a *rushgate.Admission, got *rushgate.Admitted) {
	p, refused := m.findOrCreate(a)
	if refused == nil {
		refused = m.refuses(p, by, a)
	}
	var holder rushgate.Instance
	if errors.Is(refused, rushgate.AlreadyLoggedIn) {
		if holder = p.by; a.Takeover {
			m.want(p, a.Continue)
		}
	}
	if !errors.Is(got.Err, refused) || got.Holder != holder {
		t.Fatalf("%+v by %v got %v, held by %v; want %v, held by %v", *a, by, got.Err, got.Holder, refused, holder)
	}
	if refused != nil {
		return
	}
	resumed := p.held && p.by == by && (a.Continue || p.attempt == a.Attempt)
	fresh := got.Lease.Fence > p.fence
	named := got.Lease.Player == p.account.ID && got.Lease.Name == p.account.Username
	if !named || got.Resumed != resumed || fresh == resumed || resumed && got.Lease.Fence != p.fence {
		t.Fatalf("%+v by %v got %+v resumed %v, want resumed %v after fence %d",
			*a, by, got.Lease, got.Resumed, resumed, p.fence)
	}
	if !resumed {
		p.previous = p.fence
	}
	if got.Previous != p.previous {
		t.Fatalf("%+v by %v got previous fence %d, want %d", *a, by, got.Previous, p.previous)
	}
	if !sameCharacter(got.Character, p.character) {
		t.Fatalf("admitted character is\n%+v, want\n%+v", got.Character, p.character)
	}
	if a.NewHash != "" && p.account.PasswordHash == a.Account.PasswordHash {
		p.account.PasswordHash, p.account.Version = a.NewHash, rushgate.AccountVersion
	}
	if want := a.NewHash != "" && p.account.PasswordHash == a.NewHash; got.HashReplaced != want {
		t.Fatalf("%+v: HashReplaced = %v, want %v", *a, got.HashReplaced, want)
	}
	p.setDevices(a.Devices, a.Account.Devices.Revision)
	p.setCredentials(a.Credentials)
	if !a.Continue {
		p.attempt = a.Attempt
	}
	if !resumed {
		p.session = a.Session
	}
	if got.Attempt != p.attempt {
		t.Fatalf("%+v: Attempt = %q, want %q", *a, got.Attempt, p.attempt)
	}
	p.fence, p.held, p.parked, p.by, p.expires = got.Lease.Fence, true, false, by, m.now+rushgate.LeaseTTL
	p.claimed = p.account.Epoch
}

func (m *machine) findOrCreate(a *rushgate.Admission) (*modelPlayer, error) {
	if !a.Create {
		if p := m.players[a.Account.ID]; p != nil && p.account.Username == a.Account.Username {
			return p, nil
		}
		return nil, rushgate.BadCredentials
	}
	p := m.byName(a.Account.Username)
	switch {
	case p == nil && m.isHeld(a.Account.Username, 0):
		return nil, rushgate.UsernameTaken
	case p == nil:
		p = &modelPlayer{account: a.Account, character: created(a.Account)}
		p.account.Version = cmp.Or(p.account.Version, rushgate.AccountVersion)
		m.players[a.Account.ID] = p
		return p, nil
	case p.account.PasswordHash == a.Account.PasswordHash:
		return p, nil
	case a.Account.Attempt != "" && p.account.Attempt == a.Account.Attempt:
		return nil, rushgate.ErrConcurrentAttempt
	default:
		return nil, rushgate.UsernameTaken
	}
}

// fence draws the right fence of a player, or one next to it.
func (m *machine) fence(t *rapid.T, id rushgate.PlayerID) uint64 {
	right := uint64(1)
	if p := m.players[id]; p != nil {
		right = p.fence
	}
	return pick(t, "fence", right, right, right, right-1, right+1)
}

func (m *machine) save(t *rapid.T) {
	var batch []rushgate.Save
	for range rapid.IntRange(1, 4).Draw(t, "batch size") {
		id := m.player(t)
		batch = append(batch, rushgate.Save{
			Character: drawCharacter(t, id, m.name(t, id)),
			Fence:     m.fence(t, id),
			Release:   rapid.Bool().Draw(t, "release"),
		})
		if s := &batch[len(batch)-1]; s.Release {
			s.Resumable = pick(t, "resumable", 0, time.Millisecond, rushgate.LeaseTTL)
		}
		if s := &batch[len(batch)-1]; rapid.IntRange(0, 3).Draw(t, "with credentials") == 0 {
			s.Credentials, s.Replaces = m.credentials(t, id)
			s.Epoch = m.epoch(t, id)
		}
	}
	want := make([]error, len(batch))
	for i := range batch {
		want[i] = m.modelSave(batch[i])
	}
	got, err := m.s.Save(t.Context(), batch)
	if err != nil || len(got) != len(batch) {
		t.Fatalf("Save of %d: %d results, %v", len(batch), len(got), err)
	}
	for i := range batch {
		if !errors.Is(got[i], want[i]) {
			t.Fatalf("%+v got %v, want %v", batch[i], got[i], want[i])
		}
		for j := range batch[i].Character.Data {
			batch[i].Character.Data[j] ^= 0xff // the caller's to change again
		}
	}
}

func (m *machine) modelSave(s rushgate.Save) error {
	p := m.players[s.Character.ID]
	switch {
	case p == nil || p.lease() != s.Lease():
		return rushgate.ErrLeaseLost
	case !p.held && s.Release:
		p.parked = p.parked && s.Resumable > 0
		return nil // repeated
	case !p.held:
		return rushgate.ErrLeaseLost
	case s.Credentials != nil && s.Epoch != p.account.Epoch, !p.takesCredentials(s.Credentials, s.Replaces):
		return rushgate.ErrAccountChanged
	}
	p.setCredentials(s.Credentials)
	s.Character.CreatedAt = p.character.CreatedAt
	s.Character.Data = slices.Clone(s.Character.Data)
	p.character = s.Character
	p.held = !s.Release
	if p.parked = s.Resumable > 0 && p.session != ""; p.parked {
		p.expires = m.now + s.Resumable
	}
	return nil
}

func drawCharacter(t *rapid.T, id rushgate.PlayerID, name string) rushgate.Character {
	return rushgate.Character{
		ID:   id,
		Name: name,
		Zone: rapid.String().Draw(t, "zone"),
		X:    rapid.Float64().Draw(t, "x"),
		Y:    rapid.Float64().Draw(t, "y"),
		Numbers: rushgate.Numbers{
			"hp":     rapid.Int64Range(-10, 100).Draw(t, "hp"),
			"xp":     rapid.Int64Range(0, 3).Draw(t, "xp"),
			"level":  rapid.Int64Range(1, 3).Draw(t, "level"),
			"deaths": rapid.Int64Range(0, 3).Draw(t, "deaths"),
			"gold":   rapid.Int64Range(-1, 1).Draw(t, "gold"),
		},
		Playtime: time.Duration(rapid.IntRange(0, 1000).Draw(t, "playtime")) * time.Millisecond,
		Data:     rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "data"),
	}
}

func (m *machine) refresh(t *rapid.T) {
	by := pick(t, "by", nodeA, nodeA2, nodeB)
	var batch []rushgate.Lease
	for range rapid.IntRange(1, 4).Draw(t, "batch size") {
		id := m.player(t)
		batch = append(batch, rushgate.Lease{Player: id, Name: m.name(t, id), Fence: m.fence(t, id)})
	}
	got, err := m.s.Refresh(t.Context(), by, batch)
	if err != nil || len(got) != len(batch) {
		t.Fatalf("Refresh of %d: %d results, %v", len(batch), len(got), err)
	}
	for i, l := range batch {
		p := m.players[l.Player]
		if p == nil || !p.held || p.lease() != l {
			if !errors.Is(got[i], rushgate.ErrLeaseLost) {
				t.Fatalf("refresh of %+v: %v, want %v", l, got[i], rushgate.ErrLeaseLost)
			}
			continue
		}
		if got[i] != nil {
			t.Fatalf("refresh of %+v: %v", l, got[i])
		}
		p.by, p.expires = by, m.now+rushgate.LeaseTTL
		if p.claimed != p.account.Epoch || m.now < p.disabled {
			m.mayWant(p)
		}
	}
}

func (m *machine) advance(t *rapid.T) {
	d := pick(t, "by", time.Millisecond, rushgate.LeaseTTL/2, rushgate.LeaseTTL-time.Millisecond, rushgate.LeaseTTL)
	m.h.Advance(d)
	m.now += d
}

func (m *machine) load(t *rapid.T) {
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"ann", "bob", "cyd", "dan", "nobody"}), 1, 8).Draw(t, "names")
	got, err := m.s.LoadAccounts(t.Context(), names)
	if err != nil || len(got) != len(names) {
		t.Fatalf("LoadAccounts(%q): %d accounts, %v", names, len(got), err)
	}
	for i, name := range names {
		var want rushgate.Account
		if p := m.byName(name); p != nil {
			want = p.account
			want.Zone = p.character.Zone
		}
		if got[i].Err != nil || !sameAccount(got[i].Account, want) {
			t.Fatalf("account of %s is\n%+v, want\n%+v", name, got[i], want)
		}
	}
}

func (m *machine) characters(t *rapid.T) {
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"ann", "bob", "cyd", "dan", "nobody"}), 0, 5).Draw(t, "names")
	got, err := m.s.LoadCharacters(t.Context(), names)
	if err != nil || len(got) != len(names) {
		t.Fatalf("LoadCharacters(%q): %d characters, %v", names, len(got), err)
	}
	for i, name := range names {
		var want rushgate.Character
		if p := m.byName(name); p != nil {
			want = p.character
		}
		if got[i].Err != nil || !sameCharacter(got[i].Character, want) {
			t.Fatalf("character of %s is\n%+v, want\n%+v", name, got[i], want)
		}
		for j := range got[i].Data {
			got[i].Data[j] ^= 0xff // the caller's to change
		}
	}
}

func (m *machine) delete(t *rapid.T) {
	name := pick(t, "name", modelNames...)
	var want error
	switch p := m.byName(name); {
	case p == nil:
		want = rushgate.BadCredentials
	case m.inside(p):
		want = rushgate.AlreadyLoggedIn
	default:
		delete(m.players, p.account.ID)
	}
	if err := m.s.DeleteAccount(t.Context(), name); !errors.Is(err, want) {
		t.Fatalf("DeleteAccount(%s) = %v, want %v", name, err, want)
	}
}

func (m *machine) top(t *rapid.T) {
	board := pick(t, "board", Boards()...)
	limit := rapid.IntRange(1, 5).Draw(t, "limit")
	got, err := m.s.Top(t.Context(), board, limit)
	if want := m.ranks(board, limit); err != nil || !slices.Equal(got, want) {
		t.Fatalf("Top(%s, %d) is %v\n%+v, want\n%+v", board, limit, err, got, want)
	}
}

// ranks gives each player the rank that follows from how many are better.
func (m *machine) ranks(board rushgate.Board, limit int) []rushgate.Rank {
	var ranks []rushgate.Rank
	for id, p := range m.players {
		c := p.character
		ranks = append(ranks, rushgate.Rank{Rank: 1, Player: id, Name: c.Name, Score: c.Numbers[string(board)]})
	}
	for i := range ranks {
		for _, other := range ranks {
			if other.Score > ranks[i].Score {
				ranks[i].Rank++
			}
		}
	}
	slices.SortFunc(ranks, func(a, b rushgate.Rank) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Player, b.Player))
	})
	return ranks[:min(limit, len(ranks))]
}

func (m *machine) reserve(t *rapid.T) {
	n := rapid.IntRange(1, 1000).Draw(t, "n")
	first, err := m.s.ReserveIDs(t.Context(), n)
	if err != nil || first <= m.lastID {
		t.Fatalf("ReserveIDs(%d) = %d, %v, but %d was given out", n, first, err, m.lastID)
	}
	m.lastID = first + rushgate.PlayerID(n) - 1
}
