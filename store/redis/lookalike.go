package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
)

// What a name looks like (see [rushgate.Skeleton]) is under a key of its own, on a Cluster perhaps on another server
// than the account, so that no script can change both. Therefore a registration first claims the look, in a script
// about that key, and then makes the account. A claim counts as long as there is an account of its name, and for
// claimTime without one, in which the registration that made it may still be under way; that of a name which is held
// after a rename counts, to all but the player for whom that is, until the hold ends. So of registrations at once
// exactly one wins, and whatever dies in between, or is lost, keeps no name from players for longer.
const (
	claimTime = time.Minute
	// claimsKept bounds the names under one look, of which a registration adds one at most, and operators and imports
	// any number: the others add nothing to keeping the look from players.
	claimsKept = 16
)

func (s *Store) lookKey(username string) string {
	return s.prefix + "look:" + rushgate.Skeleton(username)
}

// claim is a name under a look.
type claim struct{ name, at string }

// Lookalikes implements [rushgate.Accounts]: one round trip, and another if there are such names.
func (s *Store) Lookalikes(ctx context.Context, usernames []string) ([]string, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	commands := make([]command, len(usernames))
	for i, name := range usernames {
		commands[i] = command{name: "HGETALL", key: s.lookKey(name)}
	}
	results, err := s.run(ctx, commands)
	if err != nil {
		return nil, err
	}
	claims := make([][]claim, len(usernames))
	for i := range results {
		fields, err := results[i].AsStrMap()
		if err != nil {
			continue // it is for Admit to say that this cannot be used
		}
		for name, at := range fields {
			if name != usernames[i] {
				claims[i] = append(claims[i], claim{name, at})
			}
		}
	}
	there, err := s.existing(ctx, claims)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(usernames))
	for i := range claims {
		for _, c := range claims[i] {
			if there[c.name] {
				names[i] = c.name
			}
		}
	}
	return names, nil
}

// existing returns of which names there are accounts. What is no record keeps its name too.
func (s *Store) existing(ctx context.Context, claims [][]claim, more ...string) (map[string]bool, error) {
	names := more
	for _, of := range claims {
		for _, c := range of {
			names = append(names, c.name)
		}
	}
	commands := make([]command, len(names))
	for i, name := range names {
		commands[i] = command{name: "HEXISTS", key: s.playerKey(name), args: []string{"id"}}
	}
	results, err := s.run(ctx, commands)
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(names))
	for i := range results {
		n, err := results[i].AsInt64()
		there[names[i]] = err != nil || n > 0
	}
	return there, nil
}

// keepers returns what keeps names from a player, 0 for one without an account, see keeper.lua. What is no record keeps
// its name as an account does.
func (s *Store) keepers(ctx context.Context, player rushgate.PlayerID, names []string) (map[string]string, error) {
	commands := make([]command, len(names))
	for i, name := range names {
		commands[i] = command{script: keeperScript, key: s.playerKey(name), args: []string{s.now(), formatID(player)}}
	}
	answers, err := s.runScripts(ctx, commands)
	if err != nil {
		return nil, err
	}
	keepers := make(map[string]string, len(names))
	for i, name := range names {
		switch word := answers[i].word; word {
		case "free", "own", "held":
			keepers[name] = word
		default:
			keepers[name] = "account"
		}
	}
	return keepers, nil
}

// claiming are claims of the looks of names that a player, 0 for players without an account, is to have.
type claiming struct {
	player  rushgate.PlayerID
	refused map[string]error
	drop    map[string][]string // name and time of claims that do not count any more
	own     map[string][]string // names that are held for the player
}

// claimLooks claims the looks of names that are to be had by a player, 0 for those who register, in order, and returns
// why some were not to be had: what looks like the name of an account, or like one that is held for another player.
func (s *Store) claimLooks(
	ctx context.Context, player rushgate.PlayerID, names []string,
) (refused map[string]error, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	c := claiming{player, make(map[string]error), make(map[string][]string), make(map[string][]string)}
	for range 3 { // what is dropped may have been claimed anew
		commands := make([]command, len(names))
		for i, name := range names {
			drop := c.drop[name]
			args := append([]string{s.now(), name, strconv.Itoa(len(drop) / 2)}, drop...)
			commands[i] = command{script: claimScript, key: s.lookKey(name), args: append(args, c.own[name]...)}
		}
		answers, err := s.runScripts(ctx, commands)
		if err != nil {
			return nil, err
		}
		if names, err = s.judgeClaims(ctx, names, answers, &c); err != nil || len(names) == 0 {
			return c.refused, err
		}
	}
	for _, name := range names {
		c.refused[name] = rushgate.UsernameTaken
	}
	return c.refused, nil
}

// judgeClaims says which names are refused, and returns those that are to be claimed again, without what is to be
// dropped. A name of which there is an account is left to the script that looks at it.
func (s *Store) judgeClaims(
	ctx context.Context, names []string, answers []answer, c *claiming,
) (again []string, err error) {
	claims := make([][]claim, len(names))
	var all []string
	for i := range answers {
		switch answers[i].word {
		case "claimed":
		case "held":
			claims[i], all = answers[i].claims(), append(all, names[i])
			for _, of := range claims[i] {
				all = append(all, of.name)
			}
		default:
			c.refused[names[i]] = answers[i].problem()
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	keepers, err := s.keepers(ctx, c.player, all)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if claims[i] == nil || keepers[name] == "account" {
			continue
		}
		if c.judge(name, claims[i], keepers, answers[i].number(0)) {
			again = append(again, name)
		}
	}
	return again, nil
}

// judge reports whether a name is to be claimed again, whose look others have claimed, at a time.
func (c *claiming) judge(name string, claims []claim, keepers map[string]string, now int64) bool {
	c.drop[name], c.own[name] = nil, nil
	for _, of := range claims {
		at, err := strconv.ParseInt(of.at, 10, 64)
		switch keeper := keepers[of.name]; {
		case keeper == "own":
			c.own[name] = append(c.own[name], of.name)
		case keeper != "free", err == nil && now-at < claimTime.Milliseconds() && at <= now:
			c.refused[name] = rushgate.UsernameTaken
			return false
		default:
			c.drop[name] = append(c.drop[name], of.name, of.at)
		}
	}
	return true
}

// claims reads what follows the time in the answer of a claim that others hold.
func (a *answer) claims() (claims []claim) {
	for i := 1; i+1 < len(a.rest); i += 2 {
		claims = append(claims, claim{a.text(i), a.text(i + 1)})
	}
	return claims
}

// noteLooks keeps the looks of names that operators make accounts of, or imports bring in, from players.
func (s *Store) noteLooks(ctx context.Context, names []string) error {
	commands := make([]command, len(names))
	for i, name := range names {
		commands[i] = command{
			script: noteScript, key: s.lookKey(name), args: []string{s.now(), name, strconv.Itoa(claimsKept)},
		}
	}
	answers, err := s.runScripts(ctx, commands)
	if err != nil {
		return err
	}
	for i := range answers {
		if answers[i].word != "noted" { // which is no reason not to make the account
			s.breaker.log.Error("a record cannot be used", "key", commands[i].key, "error", answers[i].problem())
		}
	}
	return nil
}

// claimedAt returns when the look of a name was claimed for it, or nothing.
func (s *Store) claimedAt(ctx context.Context, name string) (string, error) {
	at, err := s.claimsAt(ctx, []string{name})
	if err != nil {
		return "", err
	}
	return at[0], nil
}

// claimsAt is claimedAt for many names.
func (s *Store) claimsAt(ctx context.Context, names []string) ([]string, error) {
	commands := make([]command, len(names))
	for i, name := range names {
		commands[i] = command{name: "HGET", key: s.lookKey(name), args: []string{name}}
	}
	results, err := s.run(ctx, commands)
	if err != nil {
		return nil, err
	}
	at := make([]string, len(names))
	for i := range results {
		if at[i], err = results[i].ToString(); err != nil { // none, or no hash: nothing to drop
			at[i] = ""
		}
	}
	return at, nil
}

// unclaim frees the look of a name that is neither an account's nor held. Where that fails the claim is over in
// claimTime.
func (s *Store) unclaim(ctx context.Context, name, at string) { s.unclaimAll(ctx, []claim{{name, at}}) }

// unclaimAll is unclaim for many names.
func (s *Store) unclaimAll(ctx context.Context, claims []claim) {
	var drops []command
	for _, c := range claims {
		if c.at != "" {
			drops = append(drops, command{script: unclaimScript, key: s.lookKey(c.name), args: []string{c.name, c.at}})
		}
	}
	if _, err := s.runScripts(ctx, drops); err != nil {
		s.breaker.log.Debug("redis: the looks of deleted names are not free yet", "names", len(drops), "error", err)
	}
}

// kept is the word of a script that makes no account because the name is held for a player. What was claimed for the
// name then keeps its look, as long as it is held.
const kept = "kept"

const (
	scanned   = 500                   // players of one step of noteAll, about
	scanPause = 20 * time.Millisecond // after each
	scanRetry = 5 * time.Second       // after one that has failed
)

// noteAll writes under their looks the names of all accounts there are, and those that are held: of those made before
// looks were kept, and of those whose look was lost. It also finishes renames that were left half done, and removes
// holds that have ended. It takes its time, some 20,000 players a second, and ends with ctx.
func (s *Store) noteAll(ctx context.Context) {
	defer close(s.noted)
	for addr := range s.client.Nodes() {
		for cursor := uint64(0); ; {
			next, err := s.noteSome(ctx, addr, cursor)
			pause := scanPause
			if err != nil {
				pause = scanRetry
			} else if cursor = next; cursor == 0 {
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	}
}

// noteSome notes the players that a server names from a cursor on, and returns the cursor for the next. One that is no
// longer part of a Cluster has no more: its players are with others, whose scan has them.
func (s *Store) noteSome(ctx context.Context, addr string, cursor uint64) (uint64, error) {
	node := s.client.Nodes()[addr]
	if node == nil {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	entry, err := node.Do(ctx, s.scan(node, "", cursor, scanned)).AsScanEntry()
	if err != nil {
		return 0, err
	}
	found, err := s.accountsAt(ctx, entry.Elements)
	if err != nil {
		return 0, err
	}
	if _, err := s.finishWalked(ctx, found.marked); err != nil {
		return 0, err
	}
	if err := s.noteOld(ctx, found.names); err != nil {
		return 0, err
	}
	if err := s.noteHeld(ctx, found.held); err != nil {
		return 0, err
	}
	return entry.Cursor, nil
}

// noteOld writes names under their looks, as ones that were claimed long ago: if the account is deleted meanwhile, or
// the hold ends, they keep no player from the look.
func (s *Store) noteOld(ctx context.Context, names []string) error {
	commands := make([]command, len(names))
	for i, name := range names {
		commands[i] = command{name: "HSETNX", key: s.lookKey(name), args: []string{name, "0"}}
	}
	_, err := s.run(ctx, commands)
	return err
}

// noteHeld removes what is left of holds that have ended, and writes the other names under their looks: in as many
// round trips for all names as for one.
func (s *Store) noteHeld(ctx context.Context, names []string) error {
	claimed, err := s.claimsAt(ctx, names)
	if err != nil {
		return err
	}
	sweeps := make([]command, len(names))
	for i, name := range names {
		sweeps[i] = command{script: sweepScript, key: s.playerKey(name), args: []string{s.now()}}
	}
	swept, err := s.runScripts(ctx, sweeps)
	if err != nil {
		return err
	}
	var ended []claim
	var held []string
	for i, name := range names {
		switch swept[i].word {
		case "swept":
			ended = append(ended, claim{name, claimed[i]})
		case "held":
			held = append(held, name)
		}
	}
	s.unclaimAll(ctx, ended)
	return s.noteOld(ctx, held)
}

func escapeGlob(s string) string {
	var out []byte
	for i := range len(s) {
		switch s[i] {
		case '*', '?', '[', ']', '\\', '^':
			out = append(out, '\\')
		}
		out = append(out, s[i])
	}
	return string(out)
}
