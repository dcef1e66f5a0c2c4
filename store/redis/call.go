package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
)

const (
	// callTimeout ends a pipeline that is not answered. It leaves time for a connection attempt that others have begun and
	// that does not heed this call's context, so that every call ends within two seconds, or that for each pipelineLen
	// of its items.
	callTimeout = 1500 * time.Millisecond
	// dialTimeout ends an attempt to connect, with TLS and authentication.
	dialTimeout = 500 * time.Millisecond
	// pipelineLen is how many commands are sent at once. A thousand saves take a server that writes to disk about 0.1 s,
	// for which a login on the same connection waits.
	pipelineLen = 1000
)

// command is one command or script about one key, or two.
type command struct {
	name   string  // of the command, if there is no script
	script *script // nil for a plain command
	key    string
	second string // a second key of a script, on the same server as the first; empty for none
	args   []string
	// once keeps the command from being sent again when its outcome is unknown.
	once bool
}

func (c *command) build(b rueidis.Builder, whole bool) rueidis.Completed {
	var built rueidis.Completed
	switch {
	case c.script == nil:
		built = b.Arbitrary(c.name).Keys(c.key).Args(c.args...).Build()
	case whole:
		built = b.Eval().Script(c.script.source).Numkeys(int64(len(c.keys()))).Key(c.keys()...).Arg(c.args...).Build()
	default:
		built = b.Evalsha().Sha1(c.script.sha).Numkeys(int64(len(c.keys()))).Key(c.keys()...).Arg(c.args...).Build()
	}
	// The client may have the same command sent on another connection while the writer of one that has broken still reads
	// it. If it were used again for another command after its answer, that writer would read a mixture.
	built = built.Pin()
	if c.once {
		return built
	}
	return built.ToRetryable()
}

func (c *command) keys() []string {
	if c.second == "" {
		return []string{c.key}
	}
	return []string{c.key, c.second}
}

// run sends commands in one pipeline per server and returns their answers in order, of which none is an error. What
// concerns the same key is carried out in the order given. An error means that some may have been carried out.
//
// The client sends a pipeline again if a connection breaks or a Cluster is between two masters, until the pipeline's
// time is up, except one that holds a command to be sent once.
func (s *Store) run(ctx context.Context, commands []command) ([]rueidis.RedisResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if len(commands) <= pipelineLen {
		return s.pipeline(ctx, commands)
	}
	var all []rueidis.RedisResult
	for piece := range slices.Chunk(commands, pipelineLen) {
		results, err := s.pipeline(ctx, piece)
		if err != nil {
			return nil, err
		}
		all = append(all, results...)
	}
	return all, nil
}

func (s *Store) pipeline(ctx context.Context, commands []command) ([]rueidis.RedisResult, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	trial, err := s.breaker.allow()
	if err != nil {
		return nil, err
	}
	inner, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	results, err := s.attempt(inner, trial, commands)
	switch {
	case err == nil:
		s.breaker.done(trial, answered, nil)
		return results, nil
	case ctx.Err() != nil:
		s.breaker.done(trial, abandoned, nil)
		return nil, fmt.Errorf("redis: %w", ctx.Err())
	case errors.Is(err, context.DeadlineExceeded): // ours, which callers must not take for their own
		err = fmt.Errorf("redis: %w: no answer within %v", rushgate.ErrUnavailable, s.patience)
	default:
		err = fmt.Errorf("redis: %w: %w", rushgate.ErrUnavailable, err)
	}
	s.breaker.done(trial, failed, err)
	return nil, err
}

// attempt sends commands, after a trial of whether the servers take writes again.
func (s *Store) attempt(ctx context.Context, trial bool, commands []command) ([]rueidis.RedisResult, error) {
	if trial {
		if err := s.tryWriting(ctx, commands); err != nil {
			return nil, err
		}
	}
	return s.send(ctx, commands)
}

// send runs scripts by their hashes, and once more by their source where a server does not know them, because it has
// just been started or promoted. The client's own way of running a script many times would load it on all servers of a
// Cluster first, each time, and fail if one of them is away.
//
// That a record is not what a command takes it for is left in that command's result: the others of the batch have been
// carried out. Whatever else a server refuses it refuses for its own sake, see [isFailure].
func (s *Store) send(ctx context.Context, commands []command) ([]rueidis.RedisResult, error) {
	built := make(rueidis.Commands, len(commands))
	for i := range commands {
		built[i] = commands[i].build(s.client.B(), false)
	}
	results := s.client.DoMulti(ctx, built...)
	var unknown []int
	var failure error
	for i := range results {
		switch err := results[i].Error(); {
		case isNoScript(err):
			unknown = append(unknown, i)
		case failure == nil && isFailure(err):
			failure = err
		}
	}
	if failure != nil || len(unknown) == 0 {
		return results, failure
	}
	built = make(rueidis.Commands, 0, len(unknown)) // for the same reason not the one before, see build
	for _, i := range unknown {
		built = append(built, commands[i].build(s.client.B(), true))
	}
	for j, result := range s.client.DoMulti(ctx, built...) {
		if err := result.Error(); isFailure(err) {
			return nil, err
		}
		results[unknown[j]] = result
	}
	return results, nil
}

// answer is what a script returns: a word, and what belongs to it.
type answer struct {
	word string
	rest []rueidis.RedisMessage
	err  error // with the word damaged
}

// damaged is the word of an answer about a record that a script cannot use: it says which field, or the server says why
// it has failed.
const damaged = "damaged"

// runScripts is run for scripts that answer with a word. A record that cannot be used costs no other its answer.
func (s *Store) runScripts(ctx context.Context, commands []command) ([]answer, error) {
	results, err := s.run(ctx, commands)
	if err != nil {
		return nil, err
	}
	answers := make([]answer, len(results))
	for i := range results {
		if answers[i], err = readAnswer(&results[i]); err != nil {
			return nil, err
		}
		if a := &answers[i]; a.word == damaged && strings.HasPrefix(commands[i].key, s.playerKey("")) {
			s.breaker.log.Error("a record cannot be used", "key", commands[i].key, "error", a.err)
		}
	}
	return answers, nil
}

func readAnswer(result *rueidis.RedisResult) (answer, error) {
	parts, err := result.ToArray()
	if _, refused := rueidis.IsRedisErr(err); refused {
		return answer{word: damaged, err: damagedRecord(err)}, nil
	}
	if err != nil || len(parts) == 0 {
		return answer{}, fmt.Errorf("redis: script has no answer: %w", err)
	}
	word, err := parts[0].ToString()
	if err != nil {
		return answer{}, fmt.Errorf("redis: script has answered without a word: %w", err)
	}
	a := answer{word: word, rest: parts[1:]}
	if word == damaged {
		a.err = damagedRecord(fmt.Errorf("field %s", a.text(0)))
	}
	return a, nil
}

func damagedRecord(err error) error {
	return fmt.Errorf("redis: %w: %w", rushgate.ErrDamagedRecord, err)
}

// text returns the i-th string behind the word, or nothing if there is none.
func (a *answer) text(i int) string {
	if i >= len(a.rest) {
		return ""
	}
	s, _ := a.rest[i].ToString()
	return s
}

// number is text for a whole number.
func (a *answer) number(i int) int64 {
	n, _ := strconv.ParseInt(a.text(i), 10, 64)
	return n
}

// problem is the error of an answer that is none of those that were expected.
func (a *answer) problem() error {
	if a.word == damaged {
		return a.err
	}
	return fmt.Errorf("redis: script has answered %q", a.word)
}
