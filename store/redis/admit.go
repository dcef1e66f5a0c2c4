package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// Admit implements [rushgate.Store] with one script per admission, all in one round trip: an account is made whole or
// not at all, whatever becomes of the others of the batch, of this process, or of the server. Leaderboards, the set of
// players online and requests for a takeover follow in another round trip that Admit does not wait for.
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
	commands := make([]command, len(admissions))
	for i := range admissions {
		commands[i] = s.admission(by, &admissions[i])
	}
	answers, err := s.runScripts(ctx, commands)
	if err != nil {
		return nil, err
	}
	admitted := make([]rushgate.Admitted, len(answers))
	var news []standing
	for i := range answers {
		if admitted[i], err = s.admitted(&admissions[i], &answers[i]); err != nil {
			return nil, err
		}
		if admitted[i].Err == nil {
			news = append(news, standingIn(&admitted[i], &answers[i]))
		}
	}
	s.standings.put(news...)
	return admitted, nil
}

func (s *Store) admission(by rushgate.Instance, a *rushgate.Admission) command {
	args := []string{
		s.now(), s.ttl(), by.Node, by.Run, a.Attempt, formatID(a.Account.ID), a.Account.PasswordHash,
		a.NewHash, strconv.Itoa(rushgate.AccountVersion),
	}
	if a.Create {
		args = append(args, a.Account.Attempt)
		args = append(args, newRecord(&a.Account, &rushgate.Character{Level: 1, CreatedAt: a.Account.CreatedAt})...)
	}
	return command{script: admitScript, key: s.playerKey(a.Account.Username), args: args}
}

func (s *Store) admitted(a *rushgate.Admission, answer *answer) (rushgate.Admitted, error) {
	switch answer.word {
	case "in":
		return letIn(a.Account.Username, answer)
	case "held":
		if a.Takeover {
			s.ask(a.Account.Username, answer)
		}
		return rushgate.Admitted{Err: rushgate.AlreadyLoggedIn}, nil
	case "missing":
		return rushgate.Admitted{Err: rushgate.BadCredentials}, nil
	case "taken":
		return rushgate.Admitted{Err: rushgate.UsernameTaken}, nil
	case "concurrent":
		return rushgate.Admitted{Err: rushgate.ErrConcurrentAttempt}, nil
	case damaged:
		return rushgate.Admitted{Err: rushgate.InternalError}, nil
	}
	return rushgate.Admitted{}, answer.unexpected()
}

// letIn reads an answer of flags whether resumed and whether the hash was replaced, fence, the one before it, end of
// the lease, character.
func letIn(name string, answer *answer) (rushgate.Admitted, error) {
	if len(answer.rest) != 6 {
		return rushgate.Admitted{}, answer.unexpected()
	}
	character, err := readCharacter(answer.rest[5].ToArray())
	if err != nil {
		return rushgate.Admitted{}, fmt.Errorf("redis: record of %q: %w", name, err)
	}
	fence, err := strconv.ParseUint(answer.text(2), 10, 64)
	if err != nil {
		return rushgate.Admitted{}, fmt.Errorf("redis: record of %q: fence: %w", name, err)
	}
	previous, err := strconv.ParseUint(answer.text(3), 10, 64)
	if err != nil {
		return rushgate.Admitted{}, fmt.Errorf("redis: record of %q: previous fence: %w", name, err)
	}
	return rushgate.Admitted{
		Character:    character,
		Lease:        rushgate.Lease{Player: character.ID, Name: name, Fence: fence},
		Previous:     previous,
		Resumed:      answer.text(0) == "1",
		HashReplaced: answer.text(1) == "1",
	}, nil
}

func standingIn(in *rushgate.Admitted, answer *answer) standing {
	return standing{
		player: in.Lease.Player, name: in.Lease.Name,
		score: &score{fence: in.Lease.Fence, values: scoresOf(&in.Character)},
		seat:  &seat{fence: in.Lease.Fence, inside: true, until: answer.number(4)},
	}
}
