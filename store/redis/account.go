package redis

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// CreateAccounts implements [rushgate.Accounts], each account by one script. The players come onto the leaderboards
// right afterwards. It does not tell two accounts of one id and different names apart, and never answers
// [rushgate.ErrIDTaken].
func (s *Store) CreateAccounts(ctx context.Context, accounts []rushgate.Account) ([]error, error) {
	if err := validate.Accounts(accounts); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	names := make([]string, len(accounts))
	commands := make([]command, len(accounts))
	var proved owners
	for i := range accounts {
		a := &accounts[i]
		names[i] = a.Username
		proved.add(a.ID, a.Username, a.Credentials)
		record, err := newRecord(a, firstCharacter(a))
		if err != nil {
			return nil, fmt.Errorf("redis: %w", err)
		}
		commands[i] = command{
			script: createScript, key: s.playerKey(a.Username),
			args: append([]string{s.now(), formatID(a.ID), a.PasswordHash}, record...),
		}
	}
	if err := s.noteLooks(ctx, names); err != nil {
		return nil, err
	}
	if err := s.noteOwners(ctx, proved); err != nil {
		return nil, err
	}
	answers, err := s.runAccountScripts(ctx, commands, names)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(accounts))
	var news []standing
	for i := range answers {
		switch a := &accounts[i]; answers[i].word {
		case "created":
			news = append(news, standing{player: a.ID, name: a.Username})
		case "before": // and the player may have been inside since
		case "taken", kept, renaming:
			errs[i] = rushgate.UsernameTaken
		default:
			errs[i] = answers[i].problem()
		}
	}
	s.standings.put(news...)
	return errs, nil
}

// firstCharacter returns the character that an account begins with.
func firstCharacter(a *rushgate.Account) *rushgate.Character {
	return &rushgate.Character{CreatedAt: a.CreatedAt}
}

// UpdateAccounts implements [rushgate.Accounts], each change by one script. Who has to leave is asked to in another
// round trip; if that fails, or the process dies before, the next Refresh of the lease finds out.
func (s *Store) UpdateAccounts(ctx context.Context, changes []rushgate.AccountChange) ([]error, error) {
	if err := validate.Changes(changes); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	commands := make([]command, len(changes))
	names := make([]string, len(changes))
	var proved owners
	for i := range changes {
		names[i] = changes[i].Name
		proved.add(changes[i].Player, changes[i].Name, changes[i].Credentials)
		var err error
		if commands[i], err = s.update(&changes[i]); err != nil {
			return nil, fmt.Errorf("redis: %w", err)
		}
	}
	if err := s.noteOwnersThere(ctx, proved); err != nil {
		return nil, err
	}
	answers, err := s.runAccountScripts(ctx, commands, names)
	if err == nil {
		err = s.repeatOthers(ctx, commands, answers, updateReplaces,
			func(i int) []rushgate.Credential { return changes[i].Replaces })
	}
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(changes))
	for i := range answers {
		switch answers[i].word {
		case "set":
		case "held":
			s.ask(changes[i].Name, &answers[i], false)
		case "missing", renaming:
			errs[i] = rushgate.BadCredentials
		case "changed", others:
			errs[i] = rushgate.ErrAccountChanged
		default:
			errs[i] = answers[i].problem()
		}
	}
	return errs, nil
}

func (s *Store) update(c *rushgate.AccountChange) (command, error) {
	until := "0" // until when the player must not be inside
	fields := []string{"account_version", strconv.Itoa(rushgate.AccountVersion)}
	if c.PasswordHash != "" {
		fields = append(fields, "password_hash", c.PasswordHash)
	}
	if c.Disabled != nil {
		until = formatEnd(c.Disabled.Until)
		fields = append(fields, "disabled_until", until, "disabled_reason", c.Disabled.Reason)
	}
	if c.RaiseEpoch {
		until = formatTime(rushgate.Forever())
		fields = append(fields, "epoch", formatEpoch(c.Epoch+1))
	}
	devices, err := replacement(c.Devices, c.DevicesRevision)
	if err != nil {
		return command{}, err
	}
	credentials, err := exchange(c.Credentials, c.Replaces)
	if err != nil {
		return command{}, err
	}
	args := append([]string{s.now(), formatID(c.Player), formatEpoch(c.Epoch), until, c.EndAttempt}, devices...)
	args = append(args, credentials...)
	return command{
		script: updateScript,
		key:    s.playerKey(c.Name),
		args:   append(args, fields...),
		once:   c.RaiseEpoch, // sent again, it would find another epoch
	}, nil
}

// DeleteAccount implements [rushgate.Accounts]. The player leaves the leaderboards right afterwards.
func (s *Store) DeleteAccount(ctx context.Context, username string) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	claimed, err := s.claimedAt(ctx, username)
	if err != nil {
		return err
	}
	answers, err := s.runAccountScripts(ctx, []command{{
		script: deleteScript, key: s.playerKey(username), args: []string{s.now()},
		once: true, // sent again, it would find no account
	}}, []string{username})
	if err != nil {
		return err
	}
	switch answers[0].word {
	case "deleted":
	case "missing", renaming:
		return rushgate.BadCredentials
	case "held":
		return rushgate.AlreadyLoggedIn
	default:
		return answers[0].problem()
	}
	s.unclaim(ctx, username, claimed)
	id := rushgate.PlayerID(answers[0].number(0))
	if _, err := s.run(ctx, []command{{name: "DEL", key: s.nameKey(id)}}); err != nil {
		s.breaker.log.Warn("redis: the name of a deleted account is still there", "key", s.nameKey(id), "error", err)
	}
	s.standings.put(standing{
		player: id, name: username,
		score: score{fence: math.MaxUint64, gone: true},
	})
	return nil
}
