package redis

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// lastSave numbers the saves of this process. A save that is given up after a timeout may still reach the server,
// behind a newer one; by its number it is known for what it is. A lease never changes processes, so one process's
// numbers are all that is compared. What one process has noted another may write, under the same lease, with
// credentials of the account: as long as that lacks these, nothing has been written, whatever the numbers say.
var lastSave atomic.Uint64

// Save implements [rushgate.Leases], each character by one script. A save that arrives after one that was begun later,
// under the same lease, changes nothing.
func (s *Store) Save(ctx context.Context, saves []rushgate.Save) ([]error, error) {
	if err := validate.Saves(saves); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	commands := make([]command, len(saves))
	numbers := make([]uint64, len(saves))
	var proved owners
	for i := range saves {
		numbers[i] = lastSave.Add(1)
		c := &saves[i].Character
		proved.add(c.ID, c.Name, saves[i].Credentials)
		var err error
		if commands[i], err = s.save(&saves[i], numbers[i]); err != nil {
			return nil, fmt.Errorf("redis: %w", err)
		}
	}
	if err := s.noteOwnersThere(ctx, proved); err != nil {
		return nil, err
	}
	answers, err := s.runScripts(ctx, commands)
	if err == nil {
		err = s.repeatOthers(ctx, commands, answers, saveReplaces,
			func(i int) []rushgate.Credential { return saves[i].Replaces })
	}
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(answers))
	var news []standing
	for i := range answers {
		switch v := &saves[i]; answers[i].word {
		case "lost":
			errs[i] = s.lost(v.Character.Name, &answers[i])
		case "saved":
			news = append(news, standing{
				player: v.Character.ID, name: v.Character.Name,
				score: score{fence: v.Fence, save: numbers[i], numbers: v.Character.Numbers.Clone()},
			})
		case "changed", others:
			errs[i] = rushgate.ErrAccountChanged
		case "older", "released": // before
		default:
			errs[i] = answers[i].problem()
		}
	}
	s.standings.put(news...)
	return errs, nil
}

// lost is the error of a session that is none any more. That of a player without a record has either been deleted after
// it had run out, or the record was lost, of which nothing else would tell.
func (s *Store) lost(name string, answer *answer) error {
	if answer.text(0) == "gone" {
		s.breaker.log.Error("the record of a player who was inside is gone", "key", s.playerKey(name))
	}
	return rushgate.ErrLeaseLost
}

func (s *Store) save(save *rushgate.Save, number uint64) (command, error) {
	release := "0"
	if save.Release {
		release = "1"
	}
	args := []string{
		s.now(), formatID(save.Character.ID), strconv.FormatUint(save.Fence, 10), strconv.FormatUint(number, 10), release,
		strconv.FormatInt(save.Resumable.Milliseconds(), 10),
	}
	credentials, err := exchange(save.Credentials, save.Replaces)
	if err != nil {
		return command{}, err
	}
	args = append(append(args, credentials...), strconv.Itoa(rushgate.AccountVersion), formatEpoch(save.Epoch))
	return command{
		script: saveScript,
		key:    s.playerKey(save.Character.Name),
		args:   append(args, characterState(&save.Character)...),
	}, nil
}

// Refresh implements [rushgate.Leases], all leases in one round trip. It also finds the sessions that have to end
// because the account was disabled or its epoch raised, and has Wanted return them.
func (s *Store) Refresh(ctx context.Context, by rushgate.Instance, leases []rushgate.Lease) ([]error, error) {
	if err := validate.Instance(by); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	commands := make([]command, len(leases))
	for i, l := range leases {
		commands[i] = command{script: refreshScript, key: s.playerKey(l.Name), args: []string{
			s.now(), s.ttl(), by.Node, by.Run, formatID(l.Player), strconv.FormatUint(l.Fence, 10),
		}}
	}
	answers, err := s.runScripts(ctx, commands)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(answers))
	for i, l := range leases {
		switch answers[i].word {
		case "lost":
			errs[i] = s.lost(l.Name, &answers[i])
		case "refreshed":
		case "unwelcome":
			s.standings.ask(by.Node, wantedMember(formatID(l.Player), strconv.FormatUint(l.Fence, 10), l.Name))
		default:
			errs[i] = answers[i].problem()
		}
	}
	return errs, nil
}
