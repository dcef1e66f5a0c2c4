package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
	rules "github.com/rushgate/rushgate/internal/access"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// maxListOrder bounds the body of a request to change a list, in bytes.
const maxListOrder = 256 << 10

// Doors are whom the operators of the fleet let in, and when they mean to open, if that is said.
type Doors struct {
	Mode    rushgate.Mode
	OpensAt time.Time
}

// modeBody is the mode of the doors, as it is shown and as it is set.
type modeBody struct {
	Mode    rushgate.Mode `json:"mode"`
	Message string        `json:"message,omitempty"`
	OpensAt *time.Time    `json:"opens_at,omitempty"`
	Out     bool          `json:"out,omitempty"` // players inside leave who might not come in
	By      string        `json:"by,omitempty"`
	At      *time.Time    `json:"at,omitempty"`
	// Current is false while the node goes by what it has read before: the store is away, or has what it cannot read.
	Current bool `json:"current"`
}

// instant returns a time for an answer, nil for none.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func newModeBody(s *rules.State, current bool) modeBody {
	return modeBody{s.Mode, s.Message, instant(s.OpensAt), s.Out, s.By, instant(s.At), current}
}

// banBody is a ban of a range or a device.
type banBody struct {
	ID     string     `json:"id"`
	Kind   string     `json:"kind"` // range or device
	Range  string     `json:"range,omitempty"`
	Device string     `json:"device,omitempty"`
	Except []string   `json:"except,omitempty"`
	Text   string     `json:"text,omitempty"`
	Until  *time.Time `json:"until,omitempty"` // absent: for ever
	By     string     `json:"by,omitempty"`
	At     time.Time  `json:"at"`
	Reason string     `json:"reason,omitempty"`
}

func newBanBody(b *rules.Ban) banBody {
	out := banBody{
		ID: b.ID, Kind: b.Kind(), Device: b.Device.String(), Except: b.Except, Text: b.Text, By: b.By, At: b.At.UTC(),
		Reason: b.Reason,
	}
	if b.Range.IsValid() {
		out.Range = b.Range.String()
	}
	if b.Until.Before(rushgate.Forever()) {
		out.Until = instant(b.Until)
	}
	return out
}

// listsBody are the lists of accounts.
type listsBody struct {
	Staff     []string `json:"staff"`
	Allowlist []string `json:"allowlist"`
}

// listNames are the lists by the names that they have here.
var listNames = map[string]rules.List{"staff": rules.Staff, "allowlist": rules.Allowed}

// gatekeeper serves orders about who may come in, to all nodes of the fleet.
type gatekeeper struct {
	*acts
	keeper *rules.Keeper
	ledger *account.Ledger // nil: which accounts there are is not known
}

// serve adds the routes.
func (g *gatekeeper) serve(mux *routes) {
	mux.HandleFunc("GET /mode", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, newModeBody(&g.keeper.Rules().State, g.keeper.Current()))
	})
	mux.HandleFunc("POST /mode", g.setMode)
	mux.HandleFunc("GET /bans", g.listBans)
	mux.HandleFunc("POST /bans", g.ban)
	mux.HandleFunc("POST /bans/{id}/lift", g.lift)
	mux.HandleFunc("GET /lists", func(w http.ResponseWriter, _ *http.Request) {
		r := g.keeper.Rules()
		writeJSON(w, http.StatusOK, listsBody{orNone(r.Names(rules.Staff)), orNone(r.Names(rules.Allowed))})
	})
	mux.HandleFunc("POST /lists", g.editList)
}

func orNone(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// optionalTime reads a field that is a time, which may be absent.
func optionalTime(in strictjson.Values, name string) (t time.Time, ok bool) {
	s := in.String(name)
	if s == "" {
		return t, true
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

func (g *gatekeeper) setMode(w http.ResponseWriter, r *http.Request) {
	var s rules.State
	check := func(in strictjson.Values) (ok bool) {
		s = rules.State{
			Mode: rushgate.Mode(in.String("mode")), Message: in.String("message"), Out: in.Bool("out"),
			By: personOf(r.Context()).name,
		}
		s.OpensAt, ok = optionalTime(in, "opens_at")
		return ok && s.Mode != ""
	}
	const want = `{"mode": "open, closed, staff or allowlist", "message": "...", "opens_at": "2027-01-31T18:00:00Z", ` +
		`"out": true}, of which only the mode is needed`
	if _, ok := read(w, r, maxOrder, want, check, strictjson.Field{Name: "mode"}, strictjson.Field{Name: "message"},
		strictjson.Field{Name: "opens_at"}, strictjson.Field{Name: "out", Kind: strictjson.Bool}); !ok {
		return
	}
	do := act{what: "access.mode", detail: fmt.Sprintf("mode %s, out %v", s.Mode, s.Out)}
	g.carryOut(w, r, do, func(ctx context.Context) (any, error) {
		set, err := g.keeper.SetMode(ctx, s)
		return newModeBody(&set, true), err
	})
}

func (g *gatekeeper) listBans(w http.ResponseWriter, r *http.Request) {
	offset, limit := 0, maxPage
	for key, at := range map[string]*int{"offset": &offset, "limit": &limit} {
		if s := r.URL.Query().Get(key); s != "" {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 || n > rules.MaxBans {
				writeProblem(w, http.StatusBadRequest, key+" is no number, or too great")
				return
			}
			*at = n
		}
	}
	all := g.keeper.Rules().Bans()
	out := struct {
		Bans  []banBody `json:"bans"`
		Total int       `json:"total"`
	}{Bans: []banBody{}, Total: len(all)}
	for i := range all[min(offset, len(all)):min(offset+min(limit, maxPage), len(all))] {
		out.Bans = append(out.Bans, newBanBody(&all[offset+i]))
	}
	writeJSON(w, http.StatusOK, out)
}

// banOrder is what an order to ban may say.
type banOrder struct{ rules.Ban }

const wantBan = `one of {"range": "203.0.113.0/24"} and {"device": "..."}, with "text" for the ` +
	`player, "until": "2027-01-31T00:00:00Z", "reason" for operators, and "except": [...] for a range`

// possible returns an error that names a name by which no account can be known: none has it, and no player can register
// it. Accounts that were brought in from elsewhere, or made by an operator, have names that players cannot have.
func (g *gatekeeper) possible(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	for _, name := range names {
		_, err := rushgate.NewUsername(name)
		if err != nil && g.ledger != nil {
			_, err = g.ledger.Find(ctx, name)
		}
		switch {
		case errors.Is(err, account.ErrUnknown), errors.Is(err, rushgate.ErrInvalidUsername):
			return fmt.Errorf("%w: no account has the name %.40q, and no player can register it", rules.ErrInvalid, name)
		case errors.Is(err, rushgate.ErrDamagedRecord): // there is one
		case err != nil:
			return err
		}
	}
	return nil
}

// readBan reads an order to ban from a request, or answers it.
func readBan(w http.ResponseWriter, r *http.Request) (o banOrder, ok bool) {
	var problem error
	check := func(in strictjson.Values) bool {
		o = banOrder{rules.Ban{
			ID: rules.NewID(), Text: in.String("text"), Reason: in.String("reason"), By: personOf(r.Context()).name,
		}}
		var ok bool
		if o.Until, ok = optionalTime(in, "until"); !ok || (in.String("range") == "") == (in.String("device") == "") {
			return false
		}
		if o.Until.IsZero() {
			o.Until = rushgate.Forever()
		}
		problem = o.parse(in)
		return true
	}
	_, ok = read(w, r, maxOrder, wantBan, check, strictjson.Field{Name: "range"}, strictjson.Field{Name: "device"},
		strictjson.Field{Name: "text"}, strictjson.Field{Name: "until"},
		strictjson.Field{Name: "reason"}, strictjson.Field{Name: "except", Kind: strictjson.Strings})
	if ok && problem != nil {
		writeProblem(w, http.StatusBadRequest, problem.Error())
		return o, false
	}
	return o, ok
}

// parse reads what the ban is of.
func (o *banOrder) parse(in strictjson.Values) (err error) {
	if s := in.String("range"); s != "" {
		o.Range, err = rules.ParseRange(s)
	} else if s := in.String("device"); s != "" {
		o.Device, err = rules.ParseDevice(s)
	}
	for _, name := range in.Strings("except") {
		canonical, bad := rules.Canonical(name)
		if bad != nil {
			return bad
		}
		o.Except = append(o.Except, canonical)
	}
	return err
}

// endOf is what the audit log is told of the end of a ban.
func endOf(until time.Time) string {
	if until.Equal(rushgate.Forever()) {
		return "for ever"
	}
	return "until " + until.UTC().Format(time.RFC3339)
}

func (g *gatekeeper) ban(w http.ResponseWriter, r *http.Request) {
	o, ok := readBan(w, r)
	if !ok {
		return
	}
	if err := g.possible(r.Context(), o.Except); err != nil {
		answerOrder(w, 0, nil, err)
		return
	}
	do := act{
		what:   "access.ban",
		detail: fmt.Sprintf("ban %s of %s %s", o.ID, o.subject(), endOf(o.Until)),
	}
	g.carryOut(w, r, do, func(ctx context.Context) (any, error) {
		b, err := g.keeper.Ban(ctx, o.Ban)
		return newBanBody(&b), err
	})
}

// subject is what the ban is of, for the audit log. By a device a player could be known: the list of bans has it, under
// the id of the ban.
func (o *banOrder) subject() string {
	if o.Range.IsValid() {
		return "range " + o.Range.String()
	}
	return "a device"
}

func (g *gatekeeper) lift(w http.ResponseWriter, r *http.Request) {
	if _, ok := readNothing(w, r); !ok {
		return
	}
	id := r.PathValue("id")
	g.carryOut(w, r, act{what: "access.lift", detail: "ban " + id}, func(ctx context.Context) (any, error) {
		b, err := g.keeper.Lift(ctx, id)
		return newBanBody(&b), err
	})
}

func (g *gatekeeper) editList(w http.ResponseWriter, r *http.Request) {
	check := func(in strictjson.Values) bool {
		return listNames[in.String("list")] != 0 && len(in.Strings("add"))+len(in.Strings("remove")) > 0
	}
	in, ok := read(w, r, maxListOrder, `{"list": "staff or allowlist", "add": [...], "remove": [...]}`, check,
		strictjson.Field{Name: "list"}, strictjson.Field{Name: "add", Kind: strictjson.Strings},
		strictjson.Field{Name: "remove", Kind: strictjson.Strings})
	if !ok {
		return
	}
	add, remove := in.Strings("add"), in.Strings("remove")
	if err := g.possible(r.Context(), add); err != nil { // what is on a list can be taken off, whatever it is
		answerOrder(w, 0, nil, err)
		return
	}
	do := act{
		what:   "access.list",
		detail: fmt.Sprintf("list %s, %d added, %d removed", in.String("list"), len(add), len(remove)),
	}
	g.carryOut(w, r, do, func(ctx context.Context) (any, error) {
		names, err := g.keeper.Edit(ctx, listNames[in.String("list")], add, remove)
		return map[string][]string{"names": orNone(names)}, err
	})
}
