package memory

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// held is a name that only one player can be renamed to.
type held struct {
	player rushgate.PlayerID
	until  time.Time
}

// holds are the names of one look that are held, by name.
type holds map[string]held

// isHeld reports whether a name is held for another player; 0 is none.
func (s *Store) isHeld(name string, player rushgate.PlayerID) bool {
	h, ok := s.held[rushgate.Skeleton(name)][name]
	return ok && h.player != player && s.holdTime().Before(h.until)
}

// looksHeld reports whether a name is held for another player, or can be taken for one that is; 0 is none.
func (s *Store) looksHeld(name string, player rushgate.PlayerID) bool {
	now := s.holdTime()
	for _, h := range s.held[rushgate.Skeleton(name)] {
		if h.player != player && now.Before(h.until) {
			return true
		}
	}
	return false
}

// endHolds forgets the holds that have ended.
func (s *Store) endHolds() {
	now := s.holdTime()
	for skeleton, names := range s.held {
		maps.DeleteFunc(names, func(_ string, h held) bool { return !now.Before(h.until) })
		if len(names) == 0 {
			delete(s.held, skeleton)
		}
	}
}

// hold keeps a name for a player.
func (s *Store) hold(name string, h held) {
	if !s.holdTime().Before(h.until) {
		return
	}
	skeleton := rushgate.Skeleton(name)
	if s.held[skeleton] == nil {
		s.held[skeleton] = make(holds)
	}
	s.held[skeleton][name] = h
}

// holdTime is the time by which names are held: a hold ends when both clocks say so, and not because one of them was
// set.
func (s *Store) holdTime() time.Time {
	now, day := s.now(), s.day()
	if day.Before(now) {
		return day
	}
	return now
}

// RenameAccount implements [rushgate.Accounts].
func (s *Store) RenameAccount(ctx context.Context, rename rushgate.Rename) error {
	if err := validate.Rename(&rename); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	p := s.names[rename.Name]
	if p == nil || p.account.ID != rename.Player {
		if done := s.names[rename.NewName]; done != nil && done.account.ID == rename.Player &&
			done.account.Epoch > rename.Epoch {
			return nil // before
		}
		return rushgate.BadCredentials
	}
	other := s.lookalike(rename.NewName, rename.Name)
	switch {
	case p.account.Epoch != rename.Epoch:
		return rushgate.ErrAccountChanged
	case p.lease.Live(s.now()):
		return rushgate.AlreadyLoggedIn
	case s.names[rename.NewName] != nil, s.looksHeld(rename.NewName, rename.Player), other != "":
		return rushgate.UsernameTaken
	}
	s.rename(p, &rename)
	return nil
}

func (s *Store) rename(p *player, r *rushgate.Rename) {
	delete(s.names, r.Name)
	s.forgetLook(r.Name)
	p.lease = nil
	p.account.Username, p.character.Name = r.NewName, r.NewName
	p.account.Epoch++
	p.account.Version = rushgate.AccountVersion
	s.enter(p)

	delete(s.held[rushgate.Skeleton(r.NewName)], r.NewName)
	s.endHolds()
	s.hold(r.Name, held{r.Player, toMillisecond(r.Hold)})
}

// enter has a player found by name.
func (s *Store) enter(p *player) {
	name := p.account.Username
	s.names[name], s.sorted = p, nil
	skeleton := rushgate.Skeleton(name)
	s.looks[skeleton] = append(s.looks[skeleton], name)
}
