package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rushgate/rushgate"
)

// standings is what follows from a change to a player's record but is kept under keys that many players share: the
// leaderboards, and who is asked to leave. It is written after the call that has caused it
// was answered, together with what others have caused meanwhile, and once more if the server was away.
//
// What a process takes with it when it dies is put right by the player's next save or refresh.
type standings struct {
	wake chan struct{} // holds one token if there is something to write
	turn chan struct{} // holds one token while a caller writes

	mu      sync.Mutex
	players map[string]standing            // by boardMember
	asked   map[string]map[string]struct{} // by node, see wantedMember
}

const (
	// maxPending bounds the memory that a server which stays away can cost.
	maxPending = 1 << 16
	// settleBatch bounds how long one command keeps the server from others.
	settleBatch = 512
)

func newStandings() *standings {
	return &standings{
		wake:    make(chan struct{}, 1),
		turn:    make(chan struct{}, 1),
		players: make(map[string]standing),
		asked:   make(map[string]map[string]struct{}),
	}
}

// standing is what is new about one player's place on the leaderboards.
type standing struct {
	player rushgate.PlayerID
	name   string
	score  score
}

// score is a player's place on the leaderboards.
type score struct {
	fence, save uint64 // which of two is newer
	gone        bool   // the account was deleted
	numbers     rushgate.Numbers
}

func (a *score) older(b *score) bool {
	return a.fence < b.fence || a.fence == b.fence && a.save < b.save
}

// merge returns what is left to write after a and b, of which b was put later.
func merge(a, b standing) standing {
	if b.score.older(&a.score) {
		return a
	}
	return b
}

// put notes what is to be written, all of a call at once, so that it goes out together.
func (s *standings) put(news ...standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range news {
		key := boardMember(one.player, one.name)
		old, known := s.players[key]
		if !known && len(s.players) >= maxPending {
			continue
		}
		if known {
			one = merge(old, one)
		}
		s.players[key] = one
	}
	if len(s.players) > 0 {
		s.signal()
	}
}

func (s *standings) ask(node, member string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked[node] == nil {
		s.asked[node] = make(map[string]struct{})
	}
	if len(s.asked[node]) < maxPending {
		s.asked[node][member] = struct{}{}
	}
	s.signal()
}

func (s *standings) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *standings) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.players)
}

// take removes some of what is to be written.
func (s *standings) take() (players []standing, asked map[string]map[string]struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, p := range s.players {
		if len(players) == settleBatch {
			break
		}
		players = append(players, p)
		delete(s.players, key)
	}
	asked, s.asked = s.asked, make(map[string]map[string]struct{})
	return players, asked
}

// giveBack returns what could not be written, behind what has come meanwhile. Who was asked to leave is asked again by
// those who want in.
func (s *standings) giveBack(players []standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range players {
		key := boardMember(p.player, p.name)
		if newer, ok := s.players[key]; ok {
			p = merge(p, newer)
		}
		s.players[key] = p
	}
	s.signal()
}

// settle writes all that was put before the call.
func (s *Store) settle(ctx context.Context) error {
	select {
	case s.standings.turn <- struct{}{}:
		defer func() { <-s.standings.turn }()
	case <-ctx.Done():
		return fmt.Errorf("redis: %w", ctx.Err())
	}
	for rounds := 1 + s.standings.pending()/settleBatch; rounds > 0; rounds-- {
		players, asked := s.standings.take()
		if _, err := s.run(ctx, s.standingCommands(players, asked)); err != nil {
			s.standings.giveBack(players)
			return err
		}
	}
	return nil
}

// keepStandings settles until the store is closed.
func (s *Store) keepStandings() {
	defer close(s.settled)
	for {
		select {
		case <-s.closing:
			return
		case <-s.standings.wake:
		}
		if s.settle(context.Background()) == nil {
			continue
		}
		select {
		case <-s.closing:
			return
		case <-time.After(trialEvery):
		}
	}
}

func (s *Store) standingCommands(players []standing, asked map[string]map[string]struct{}) []command {
	var commands []command
	for _, board := range s.keptBoards() {
		var set, removed []string
		for _, p := range players {
			switch member := boardMember(p.player, p.name); {
			case p.score.gone:
				removed = append(removed, member)
			default:
				set = append(set, formatScore(p.score.numbers[string(board)]), member)
			}
		}
		if len(set) > 0 {
			commands = append(commands, command{name: "ZADD", key: s.boardKey(board), args: set})
		}
		if len(removed) > 0 {
			commands = append(commands, command{name: "ZREM", key: s.boardKey(board), args: removed})
		}
	}
	return append(commands, s.wantedCommands(asked)...)
}
