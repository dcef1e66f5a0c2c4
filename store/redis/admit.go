package redis

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/device"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// Admit implements [rushgate.Leases] with one script per admission, all in one round trip, before which comes one that
// claims what the names of registrations look like, and one that notes the names of those with credentials: an account
// is made whole or not at all, whatever becomes of the others of the batch, of this process, or of the server. The
// script looks at all that is read afterwards before it changes anything. Leaderboards and requests for a takeover
// follow in another round trip that Admit does not wait for.
//
// That an id belongs to no other name cannot be told from a record found by name; it rests on ids coming from
// ReserveIDs.
func (s *Store) Admit(
	ctx context.Context, by rushgate.Instance, admissions []rushgate.Admission,
) ([]rushgate.Admitted, error) {
	if err := validate.Instance(by); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := validate.Admissions(admissions); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	refused, err := s.claimLooks(ctx, 0, created(admissions))
	if err != nil {
		return nil, err
	}
	commands := make([]command, 0, len(admissions))
	var names []string                   // of the commands' accounts
	var replaced [][]rushgate.Credential // and what they replace
	var proved owners
	for i := range admissions {
		if a := &admissions[i]; !a.Create || refused[a.Account.Username] == nil {
			c, err := s.admission(by, a)
			if err != nil {
				return nil, fmt.Errorf("redis: %w", err)
			}
			commands, names = append(commands, c), append(names, a.Account.Username)
			replaced = append(replaced, a.Account.Credentials)
			if a.Create {
				proved.add(a.Account.ID, a.Account.Username, a.Account.Credentials)
			}
		}
	}
	if err := s.noteOwners(ctx, proved); err != nil {
		return nil, err
	}
	answers, err := s.runAccountScripts(ctx, commands, names)
	if err == nil {
		err = s.repeatOthers(ctx, commands, answers, admitReplaces,
			func(i int) []rushgate.Credential { return replaced[i] })
	}
	if err != nil {
		return nil, err
	}
	admitted := make([]rushgate.Admitted, len(admissions))
	var news []standing
	next := 0 // of the answers
	for i := range admissions {
		if a := &admissions[i]; a.Create && refused[a.Account.Username] != nil {
			admitted[i].Err = refused[a.Account.Username]
			continue
		}
		admitted[i] = s.admitted(&admissions[i], &answers[next])
		next++
		if in := &admitted[i]; in.Err == nil {
			news = append(news, standing{
				player: in.Lease.Player, name: in.Lease.Name,
				score: score{fence: in.Lease.Fence, numbers: in.Character.Numbers.Clone()},
			})
		}
	}
	s.standings.put(news...)
	return admitted, nil
}

// created returns the names of the accounts that admissions create, each once.
func created(admissions []rushgate.Admission) (names []string) {
	seen := make(map[string]bool)
	for i := range admissions {
		if a := &admissions[i]; a.Create && !seen[a.Account.Username] {
			seen[a.Account.Username] = true
			names = append(names, a.Account.Username)
		}
	}
	return names
}

func (s *Store) admission(by rushgate.Instance, a *rushgate.Admission) (command, error) {
	args := []string{
		s.now(), s.ttl(), by.Node, by.Run, a.Attempt, formatID(a.Account.ID), a.Account.PasswordHash,
		a.NewHash, strconv.Itoa(rushgate.AccountVersion), formatEpoch(a.Account.Epoch),
		a.Session, "", a.Gone.Node, a.Gone.Run,
	}
	if a.Continue {
		args[11] = strconv.FormatInt((rushgate.LeaseRefresh + a.Grace).Milliseconds(), 10)
	}
	devices, err := replacement(a.Devices, a.Account.Devices.Revision)
	if err != nil {
		return command{}, err
	}
	credentials, err := exchange(a.Credentials, a.Account.Credentials)
	if err != nil {
		return command{}, err
	}
	args = append(append(args, devices...), credentials...)
	if a.Create {
		record, err := newRecord(&a.Account, firstCharacter(&a.Account))
		if err != nil {
			return command{}, err
		}
		args = append(append(args, a.Account.Attempt), record...)
	}
	return command{script: admitScript, key: s.playerKey(a.Account.Username), args: args}, nil
}

// replacement returns the arguments of a script that replaces the devices of a revision, unless there are none: that
// revision, the next one, and the devices.
func replacement(devices []rushgate.Device, revision uint64) ([]string, error) {
	if devices == nil {
		return []string{"", "", ""}, nil
	}
	list, err := device.Marshal(devices)
	return []string{strconv.FormatUint(revision, 10), strconv.FormatUint(revision+1, 10), list}, err
}

func (s *Store) admitted(a *rushgate.Admission, answer *answer) rushgate.Admitted {
	switch answer.word {
	case "in":
		return letIn(a.Account.Username, answer)
	case "held":
		if a.Takeover {
			s.ask(a.Account.Username, answer, a.Continue)
		}
		holder := rushgate.Instance{Node: answer.text(0), Run: answer.text(3)}
		return rushgate.Admitted{Err: rushgate.AlreadyLoggedIn, Holder: holder}
	case "missing":
		return rushgate.Admitted{Err: rushgate.BadCredentials}
	case renaming:
		if a.Create {
			return rushgate.Admitted{Err: rushgate.UsernameTaken}
		}
		return rushgate.Admitted{Err: rushgate.BadCredentials}
	case "changed", others:
		return rushgate.Admitted{Err: rushgate.ErrAccountChanged}
	case "taken", kept:
		return rushgate.Admitted{Err: rushgate.UsernameTaken}
	case "concurrent":
		return rushgate.Admitted{Err: rushgate.ErrConcurrentAttempt}
	case "disabled":
		d := rushgate.Disabled{Until: fromMillis(answer.number(0)), Reason: answer.text(1)}
		return rushgate.Admitted{Err: d.Refusal()}
	}
	return rushgate.Admitted{Err: answer.problem()}
}

// letIn reads an answer of flags whether resumed and whether the hash was replaced, fence, the one before it, attempt,
// character. The script has looked at all of them, so that what it lets in can be read.
func letIn(name string, answer *answer) rushgate.Admitted {
	if len(answer.rest) != 6 {
		return rushgate.Admitted{Err: answer.problem()}
	}
	character, err := readCharacter(answer.rest[5].ToArray())
	fence, err1 := strconv.ParseUint(answer.text(2), 10, 64)
	previous, err2 := strconv.ParseUint(answer.text(3), 10, 64)
	if err := cmp.Or(err, err1, err2); err != nil {
		return rushgate.Admitted{Err: damagedRecord(err)}
	}
	return rushgate.Admitted{
		Character:    character,
		Lease:        rushgate.Lease{Player: character.ID, Name: name, Fence: fence},
		Previous:     previous,
		Resumed:      answer.text(0) == "1",
		Attempt:      answer.text(4),
		HashReplaced: answer.text(1) == "1",
	}
}
