package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// BeginImport implements [rushgate.Importer]. On a server that has given out no id, those of new players follow the
// ones set aside; where it may have lost its counter, [Store.ReserveIDs] leaves a gap.
func (s *Store) BeginImport(ctx context.Context, highest rushgate.PlayerID) error {
	if err := validate.Highest(highest); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	answer, err := s.beginImport(ctx, highest)
	if err != nil {
		return err
	}
	switch answer.word {
	case "set":
		return nil
	case "used":
		return fmt.Errorf("redis: set ids up to %d aside: %w", highest, rushgate.ErrIDsInUse)
	}
	return answer.problem()
}

// beginImport runs the script, of which the last argument is an id known to be in use, as with reserve: it is looked
// for only where the counter has given out none.
func (s *Store) beginImport(ctx context.Context, highest rushgate.PlayerID) (answer, error) {
	floor := ""
	if given := s.given.Load(); given > 0 {
		floor = formatID(rushgate.PlayerID(given))
	}
	for {
		answers, err := s.runScripts(ctx, []command{{
			script: beginImportScript, key: s.idsKey(), second: s.idsCopyKey(), args: []string{formatID(highest), floor},
		}})
		if err != nil {
			return answer{}, err
		}
		if answers[0].word != "none" {
			return answers[0], nil
		}
		known, err := s.highestOnBoards(ctx)
		if err != nil {
			return answer{}, err
		}
		floor = formatID(known)
	}
}

// Import implements [rushgate.Importer]. It does not tell two records of one id and different names apart, and never
// answers [rushgate.ErrIDTaken].
func (s *Store) Import(ctx context.Context, records []rushgate.Record) ([]error, error) {
	if err := validate.Records(records); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	if err := s.checkSetAside(ctx, records); err != nil {
		return nil, err
	}
	names := make([]string, len(records))
	commands := make([]command, len(records))
	var proved owners
	for i := range records {
		a := &records[i].Account
		names[i] = a.Username
		proved.add(a.ID, a.Username, a.Credentials)
		record, err := newRecord(a, &records[i].Character)
		if err != nil {
			return nil, fmt.Errorf("redis: %w", err)
		}
		commands[i] = command{
			script: importScript, key: s.playerKey(a.Username),
			args: append([]string{s.now(), formatID(a.ID)}, record...),
			once: true, // sent again, it would find what it has made and say so
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
	errs := make([]error, len(records))
	var news []standing
	for i := range answers {
		switch answers[i].word {
		case "created":
			a := &records[i].Account
			news = append(news, standing{
				player: a.ID, name: a.Username, score: score{numbers: records[i].Character.Numbers.Clone()},
			})
		case "imported":
			errs[i] = rushgate.ErrImported
		case "taken", kept, renaming:
			errs[i] = rushgate.UsernameTaken
		default:
			errs[i] = answers[i].problem()
		}
	}
	s.standings.put(news...)
	// What waits is bounded, and an import could outrun it. The accounts are there whatever becomes of this.
	if err := s.settle(ctx); err != nil {
		s.breaker.log.Warn("redis: leaderboards do not have all imported players yet", "error", err)
	}
	return errs, nil
}

// checkSetAside asks the server only about ids beyond those that it is known to have set aside, which it never takes
// back.
func (s *Store) checkSetAside(ctx context.Context, records []rushgate.Record) error {
	if validate.SetAside(records, rushgate.PlayerID(s.setAside.Load())) == nil {
		return ctx.Err()
	}
	results, err := s.run(ctx, []command{{name: "HGET", key: s.idsKey(), args: []string{"imports"}}})
	if err != nil {
		return err
	}
	text, err := results[0].ToString()
	var highest uint64
	if err == nil {
		highest, err = strconv.ParseUint(text, 10, 63)
	}
	if err != nil && !rueidis.IsRedisNil(err) {
		return fmt.Errorf("redis: ids set aside: %w", err)
	}
	if err := validate.SetAside(records, rushgate.PlayerID(highest)); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	s.setAside.Store(highest)
	return nil
}
