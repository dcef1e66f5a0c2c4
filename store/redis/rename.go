package redis

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// An account that is renamed moves from one record to another, on a Cluster perhaps on another server, and no script
// can change both. It moves in steps, each a script about one record, of which field rename says at what step it is:
//
//   - the new name is reserved ("from"): nobody else can have it for claimTime;
//   - the account leaves the old name ("to"): all that it was is kept there in one value, and the record is no account
//     any more. From here on the rename goes through;
//   - the account arrives under the new name ("at"), with all that it was;
//   - what is left under the old name is removed but for the hold, and then the mark under the new one.
//
// Whoever comes upon such a mark carries on from there: what loads or changes either name, a walk through all names,
// and the start of a node. An account that has left and finds its new name gone, which takes a program that knows
// nothing of reservations, or one that was held up for longer than claimTime between two steps, goes back as it was.
// Each rename has a token of its own, so that a step which comes late finds its mark gone and changes nothing.
const (
	renameField = "rename"
	movedField  = "moved"
)

// renaming is the word of an answer about a name to or from which a rename is under way.
const renaming = "renaming"

// mark is what field rename of a record says.
type mark struct {
	text  string
	part  string // "from", "to" or "at"
	token string
	other string // the other name
}

func parseMark(text string) (mark, bool) {
	part, rest, _ := strings.Cut(text, " ")
	token, other, _ := strings.Cut(rest, " ")
	if part == "from" {
		_, other, _ = strings.Cut(other, " ") // behind when the name was reserved
	}
	ok := (part == "from" || part == "to" || part == "at") && token != "" && other != ""
	return mark{text, part, token, other}, ok
}

// move is an account's way from one name to another.
type move struct{ token, from, to string }

// RenameAccount implements [rushgate.Accounts] in some round trips, see above. The leaderboards follow right
// afterwards. One that has failed with [rushgate.ErrUnavailable] is carried out or not; whoever next comes upon the
// account finishes it.
func (s *Store) RenameAccount(ctx context.Context, rename rushgate.Rename) error {
	if err := validate.Rename(&rename); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	for range 3 { // others may have finished a rename of before, or this one
		if done, err := s.tryRename(ctx, &rename); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("redis: %w: the account is being renamed", rushgate.ErrUnavailable)
}

// tryRename is one attempt; without an error it may have to be made again.
func (s *Store) tryRename(ctx context.Context, r *rushgate.Rename) (done bool, err error) {
	account := []string{s.now(), formatID(r.Player), formatEpoch(r.Epoch)}
	may, err := s.runOne(ctx, command{script: mayLeaveScript, key: s.playerKey(r.Name), args: account})
	if err != nil {
		return false, err
	}
	if may.word != "may" {
		return s.refusedRename(ctx, r, &may)
	}
	taken, err := s.lookTaken(ctx, r)
	if err != nil || taken {
		return false, orTaken(err)
	}
	m := move{token: rand.Text(), from: r.Name, to: r.NewName}
	reserved, err := s.runOne(ctx, command{
		script: reserveNameScript, key: s.playerKey(m.to), args: []string{s.now(), formatID(r.Player), m.token, m.from},
	})
	switch {
	case err != nil:
		return false, err
	case reserved.word == renaming:
		return false, s.makeWay(ctx, m.to)
	case reserved.word == "taken":
		return false, rushgate.UsernameTaken
	case reserved.word != "reserved":
		return false, reserved.problem()
	}
	if err := s.cut("reserved"); err != nil {
		return false, err
	}
	until := "0"
	if r.Hold.UnixMilli() > 0 {
		until = formatTime(r.Hold)
	}
	left, err := s.runOne(ctx, command{
		script: departScript, key: s.playerKey(m.from), args: append(account, "to "+m.token+" "+m.to, until),
	})
	if err != nil {
		return false, err
	}
	if left.word != "left" {
		return s.abandonRename(ctx, r, &m, &left)
	}
	if err := s.cut("left"); err != nil {
		return false, err
	}
	return s.complete(ctx, &m)
}

// orTaken is the error of a name that is another's, unless there is another.
func orTaken(err error) error {
	if err != nil {
		return err
	}
	return rushgate.UsernameTaken
}

// refusedRename reads why an account cannot leave its name, unless it has done so in this very rename.
func (s *Store) refusedRename(ctx context.Context, r *rushgate.Rename, answer *answer) (done bool, err error) {
	switch answer.word {
	case "changed":
		return false, rushgate.ErrAccountChanged
	case "held":
		return false, rushgate.AlreadyLoggedIn
	case renaming:
		if err := s.finishRename(ctx, r.Name); err != nil {
			return false, err
		}
		if there, err := s.existing(ctx, nil, r.Name); err != nil || there[r.Name] {
			return false, err
		}
	case "missing":
	default:
		return false, answer.problem()
	}
	if err := s.finishRename(ctx, r.NewName); err != nil {
		return false, err
	}
	results, err := s.run(ctx, []command{{name: "HMGET", key: s.playerKey(r.NewName), args: []string{"id", "epoch"}}})
	if err != nil {
		return false, err
	}
	values, _ := results[0].AsStrSlice() // what cannot be read is not this player's
	if len(values) == 2 && values[0] == formatID(r.Player) {
		if epoch, err := parseUint(values[1]); err == nil && epoch > r.Epoch {
			return true, nil
		}
	}
	return false, rushgate.BadCredentials
}

// lookTaken claims what the new name looks like, as for a registration, and reports whether another account's does, or
// a name that is held for another player. That of the account itself does not count.
func (s *Store) lookTaken(ctx context.Context, r *rushgate.Rename) (bool, error) {
	if s.lookKey(r.Name) != s.lookKey(r.NewName) {
		refused, err := s.claimLooks(ctx, r.Player, []string{r.NewName})
		if err != nil {
			return false, err
		}
		err = refused[r.NewName]
		if err != nil && !errors.Is(err, rushgate.UsernameTaken) {
			return false, err
		}
		return err != nil, nil
	}
	// The look is kept from others by the account, as long as it has not left.
	results, err := s.run(ctx, []command{{name: "HKEYS", key: s.lookKey(r.Name)}})
	if err != nil {
		return false, err
	}
	names, err := results[0].AsStrSlice()
	if err != nil {
		return false, damagedRecord(fmt.Errorf("key %s: %w", s.lookKey(r.Name), err))
	}
	keepers, err := s.keepers(ctx, r.Player, names)
	if err != nil {
		return false, err
	}
	for name, keeper := range keepers {
		if (keeper == "account" || keeper == "held") && name != r.Name && name != r.NewName {
			return true, nil
		}
	}
	return false, s.noteLooks(ctx, []string{r.NewName})
}

// makeWay finishes a rename to or from a name that is wanted for another, and returns UsernameTaken where one is under
// way.
func (s *Store) makeWay(ctx context.Context, name string) error {
	if err := s.finishRename(ctx, name); err != nil {
		return err
	}
	results, err := s.run(ctx, []command{{name: "HEXISTS", key: s.playerKey(name), args: []string{renameField}}})
	if err != nil {
		return err
	}
	if busy, err := results[0].AsInt64(); err != nil || busy == 1 {
		return rushgate.UsernameTaken
	}
	return nil
}

// abandonRename frees the new name of an account that could not leave.
func (s *Store) abandonRename(ctx context.Context, r *rushgate.Rename, m *move, why *answer) (bool, error) {
	results, err := s.run(ctx, []command{{name: "HGET", key: s.playerKey(m.to), args: []string{renameField}}})
	if err != nil {
		return false, err
	}
	text, _ := results[0].ToString()
	if there, ok := parseMark(text); ok && there.part == "from" && there.token == m.token {
		if err := s.unmark(ctx, m.to, text, 0); err != nil {
			return false, err
		}
		claimed, err := s.claimedAt(ctx, m.to)
		if err != nil {
			return false, err
		}
		keepers, err := s.keepers(ctx, 0, []string{m.to})
		if err != nil {
			return false, err
		}
		if keepers[m.to] == "free" {
			s.unclaim(ctx, m.to, claimed)
		}
	}
	return s.refusedRename(ctx, r, why)
}

// finishRename carries on with a rename that was left half done, of which a record says so.
func (s *Store) finishRename(ctx context.Context, name string) error {
	there, err := s.markOf(ctx, name)
	if err != nil || there.part == "" {
		return err
	}
	m := move{there.token, there.other, name}
	if there.part == "to" {
		m = move{there.token, name, there.other}
	} else {
		source, err := s.markOf(ctx, there.other)
		if err != nil {
			return err
		}
		switch left := source.part == "to" && source.token == there.token; {
		case !left && there.part == "at":
			return s.follow(ctx, &m)
		case !left:
			return s.unmark(ctx, name, there.text, claimTime.Milliseconds())
		}
	}
	_, err = s.complete(ctx, &m)
	return err
}

// markOf returns the mark of a record, or the zero mark.
func (s *Store) markOf(ctx context.Context, name string) (mark, error) {
	results, err := s.run(ctx, []command{{name: "HGET", key: s.playerKey(name), args: []string{renameField}}})
	if err != nil {
		return mark{}, err
	}
	text, err := results[0].ToString()
	if err != nil { // none, or no record, which is told where it is used
		return mark{}, nil
	}
	m, ok := parseMark(text)
	if !ok {
		err := damagedRecord(fmt.Errorf("field %s", renameField))
		s.breaker.log.Error("a record cannot be used", "key", s.playerKey(name), "error", err)
		return mark{}, nil
	}
	return m, nil
}

// unmark removes a mark under the new name, but a reservation only if it is older than so many milliseconds.
func (s *Store) unmark(ctx context.Context, name, text string, stays int64) error {
	_, err := s.runOne(ctx, command{
		script: unmarkScript, key: s.playerKey(name), args: []string{s.now(), text, strconv.FormatInt(stays, 10)},
	})
	return err
}

// complete has an account that has left its name arrive under the new one, and reports whether it has. If that is not
// to be had any more, the account goes back.
func (s *Store) complete(ctx context.Context, m *move) (arrived bool, err error) {
	results, err := s.run(ctx, []command{{
		name: "HMGET", key: s.playerKey(m.from), args: []string{renameField, movedField},
	}})
	if err != nil {
		return false, err
	}
	values, err := results[0].AsStrSlice()
	if err != nil || len(values) != 2 {
		return false, nil // finished by another, and something else is there by now
	}
	if there, ok := parseMark(values[0]); !ok || there.part != "to" || there.token != m.token {
		return false, nil
	}
	answer, err := s.runOne(ctx, command{script: arriveScript, key: s.playerKey(m.to), args: []string{
		m.token, m.from, m.to, strconv.Itoa(rushgate.AccountVersion), values[1],
	}})
	if err != nil {
		return false, err
	}
	switch answer.word {
	case "arrived":
		return true, s.afterArrival(ctx, m)
	case "lost":
		return false, s.goBack(ctx, m)
	case damaged:
		if answer.text(0) != movedField { // what is under the new name is no record any more
			return false, cmp.Or(s.goBack(ctx, m), answer.err)
		}
	}
	return false, answer.problem()
}

// afterArrival removes what is left of a rename.
func (s *Store) afterArrival(ctx context.Context, m *move) error {
	if err := s.cut("arrived"); err != nil {
		return err
	}
	claimed, err := s.claimedAt(ctx, m.from)
	if err != nil {
		return err
	}
	settle := command{script: settleScript, key: s.playerKey(m.from), args: []string{s.now(), m.token}}
	settled, err := s.runOne(ctx, settle)
	if err != nil {
		return err
	}
	if err := s.cut("settled"); err != nil {
		return err
	}
	if settled.word != "held" { // else what looks like the name is held with it
		s.unclaim(ctx, m.from, claimed)
	}
	return s.follow(ctx, m)
}

// follow has what is under other keys follow an account that has arrived, and removes the mark by which that is known.
func (s *Store) follow(ctx context.Context, m *move) error {
	if err := s.noteLooks(ctx, []string{m.to}); err != nil {
		return err
	}
	if err := s.moveStanding(ctx, m); err != nil {
		return err
	}
	if err := s.followName(ctx, m); err != nil {
		return err
	}
	return s.unmark(ctx, m.to, "at "+m.token+" "+m.from, 0)
}

// moveStanding has the player's lines on the leaderboards follow.
func (s *Store) moveStanding(ctx context.Context, m *move) error {
	fields := append([]string{"fence", "lease_node"}, characterFields...)
	results, err := s.run(ctx, []command{{name: "HMGET", key: s.playerKey(m.to), args: fields}})
	if err != nil {
		return err
	}
	values, err := results[0].ToArray()
	if err != nil || len(values) != len(fields) {
		return nil // something else is there by now
	}
	c, err := readCharacter(values[2:], nil)
	text, _ := values[0].ToString()
	fence, _ := parseUint(text)
	if err != nil || c.ID == 0 {
		return nil // which is logged when it is used
	}
	gone := score{fence: fence, save: math.MaxUint64, gone: true}
	there := score{fence: fence, save: math.MaxUint64, numbers: c.Numbers.Clone()} // newer than that the name was left
	if !values[1].IsNil() {
		there.save = 0 // the player is inside by now, and each save is newer
	}
	s.standings.put(standing{player: c.ID, name: m.from, score: gone}, standing{player: c.ID, name: m.to, score: there})
	return nil
}

// goBack gives an account its old name back, as it was.
func (s *Store) goBack(ctx context.Context, m *move) error {
	back, err := s.runOne(ctx, command{script: returnScript, key: s.playerKey(m.from), args: []string{m.token}})
	if err != nil {
		return err
	}
	switch back.word {
	case "returned":
		return s.noteLooks(ctx, []string{m.from})
	case "other": // finished by another
		return nil
	}
	return back.problem()
}

// runOne runs one script.
func (s *Store) runOne(ctx context.Context, c command) (answer, error) {
	answers, err := s.runScripts(ctx, []command{c})
	if err != nil {
		return answer{}, err
	}
	return answers[0], nil
}

// runAccountScripts is runScripts for commands about accounts by their names. Where a rename was left half done it is
// finished first; the answer still is renaming where one has only begun.
func (s *Store) runAccountScripts(ctx context.Context, commands []command, names []string) ([]answer, error) {
	answers, err := s.runScripts(ctx, commands)
	if err != nil {
		return nil, err
	}
	var again []command
	var which []int
	for i := range answers {
		if answers[i].word != renaming {
			continue
		}
		err := s.finishRename(ctx, names[i])
		if errors.Is(err, rushgate.ErrDamagedRecord) {
			answers[i] = answer{word: damaged, err: err}
			continue
		}
		if err != nil {
			return nil, err
		}
		again, which = append(again, commands[i]), append(which, i)
	}
	if len(again) == 0 {
		return answers, nil
	}
	repeated, err := s.runScripts(ctx, again)
	if err != nil {
		return nil, err
	}
	for i, of := range which {
		answers[of] = repeated[i]
	}
	return answers, nil
}
