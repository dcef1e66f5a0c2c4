package handover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// stage is how far an attempt has come, as the old process sees it.
type stage int

const (
	greeting  stage = iota // nothing has been said
	offered                // the new process has the descriptors, and makes ready
	preparing              // this one takes in nothing new
	frozen                 // this one stands still
	told                   // the new one has the state
	going                  // the new one was told "go"
	gone                   // the new one runs
)

var stageNames = [...]string{
	greeting: "hello", offered: "making ready", preparing: "working off", frozen: "standing still",
	told: "reading the state", going: "beginning", gone: "running",
}

// String names the step that follows, which is the one that fails.
func (s stage) String() string { return stageNames[s] }

// giver is one attempt, in the old process.
type giver struct {
	*Host
	wire   *wire
	stage  stage
	hello  Hello
	began  time.Time
	froze  time.Time
	frozen time.Duration // for how long it has stood still
}

// give goes through an attempt.
func (g *giver) give() {
	err := g.untilGo(g.ctx)
	if err != nil {
		g.wire.refuse(err)
		g.goOn(err)
		return
	}
	err, over := g.afterGo()
	switch {
	case err == nil:
		g.stage, g.frozen = gone, time.Since(g.froze)
		g.logger.Info("handed over: another process has the players now, and this one ends",
			"program", g.hello.Program, "took", round(time.Since(g.began)), "stood_still", round(g.frozen))
		At(OldGone)
		g.leave(nil)
	case over:
		g.goOn(err)
	default:
		g.logger.Error("the process that was to take over gives no answer and cannot be ended: it may have the players, so "+
			"this one ends", "program", g.hello.Program, "error", err)
		g.leave(err)
	}
}

// goOn has the node go on after an attempt has failed.
func (g *giver) goOn(err error) {
	args := []any{"program", g.hello.Program, "at", g.stage.String(), "error", err}
	if g.stage >= preparing {
		g.node.Thaw(g.stage >= going)
	}
	if g.stage >= going {
		g.listenAnew()
	}
	if !g.froze.IsZero() {
		args = append(args, "stood_still", round(time.Since(g.froze)))
	}
	g.logger.Warn("not handed over: this process goes on as before", args...)
}

// untilGo goes through the steps up to the one from which on the new process may run.
func (g *giver) untilGo(ctx context.Context) error {
	if err := g.offer(ctx); err != nil {
		return err
	}
	At(OldOffered)
	if _, err := g.wire.hear(ctx, g.limits.Able, sayAble); err != nil {
		return err
	}
	g.stage = preparing
	// A process that has gone meanwhile is noticed at the next step.
	inner, cancel := context.WithTimeoutCause(ctx, g.limits.State, errors.New("working off took too long"))
	defer cancel()
	if err := g.node.Prepare(inner); err != nil {
		return err
	}
	At(OldPrepared)
	prepared := time.Now()
	if err := g.listening(); err != nil {
		return err
	}
	g.stage, g.froze = frozen, time.Now()
	parts, err := g.node.Freeze(inner)
	if err != nil {
		return err
	}
	At(OldFrozen)
	state, err := appendParts(nil, parts)
	if err != nil {
		return err
	}
	g.logger.Info("standing still for a hand-over", "program", g.hello.Program,
		"prepared_in", round(prepared.Sub(g.began)), "froze_in", round(time.Since(g.froze)), "bytes", len(state))
	if err := g.wire.say(sayState, state); err != nil {
		return err
	}
	g.stage = told
	At(OldTold)
	_, err = g.wire.hear(ctx, g.limits.Load, sayLoaded)
	return cmp.Or(err, context.Cause(ctx))
}

// listening returns an error if the new process has gone, or has said that it does not go on.
func (g *giver) listening() error {
	select {
	case h, ok := <-g.wire.in:
		switch {
		case !ok:
			return g.wire.err
		case h.kind == sayNo:
			return &Refusal{string(h.body)}
		}
		closeFiles(h.files)
		return unexpected(h.kind, sayLoaded)
	default:
		return nil
	}
}

// offer hears hello and answers it.
func (g *giver) offer(ctx context.Context) error {
	h, err := g.wire.hear(ctx, g.limits.Answer, sayHello)
	if err != nil {
		return err
	}
	if err := decode(h.body, &g.hello); err != nil {
		return err
	}
	if g.hello.Version != Version {
		return fmt.Errorf("this node speaks version %d of the hand-over, and the new program version %d: it has to be "+
			"restarted for once", Version, g.hello.Version)
	}
	offer, files, err := g.node.Offer(g.hello)
	if err != nil {
		return err
	}
	files = append([]File{FileOf(aliveName, g.alive)}, files...)
	for _, f := range files {
		offer.Files = append(offer.Files, f.Name)
	}
	if err := g.wire.say(sayOffer, marshal(offer), files...); err != nil {
		return err
	}
	g.stage = offered
	g.logger.Info("another process makes ready to take over", "program", g.hello.Program, "pid", g.wire.peer.pid)
	return nil
}

// afterGo says "go" and waits until the new process runs, in which case it returns no error, or is dead, or as good as
// dead: over. Nothing interrupts it: the node stands still, and cannot be taken down in order before it knows.
func (g *giver) afterGo() (err error, over bool) {
	g.stage = going
	At(OldGoing)
	_ = g.wire.say(sayGo, nil) // what the other has made of it is heard in any case
	At(OldWent)
	_, err = g.wire.hear(context.Background(), g.limits.Done, sayDone)
	switch {
	case err == nil:
		return nil, true
	case errors.Is(err, errHungUp):
		return err, true
	}
	if refused := (*Refusal)(nil); errors.As(err, &refused) && g.wire.hungUp(g.limits.Dead) { // it cleans up before
		return err, true
	}
	if pid := g.wire.kill(); pid != 0 {
		g.logger.Warn("the process that was to take over does not answer, and is killed", "pid", pid, "error", err)
	}
	return err, g.wire.hungUp(g.limits.Dead)
}

// leave says that this process is not to go on, and gives the new one what connections are left.
func (g *giver) leave(err error) {
	g.deafen()
	left := g.node.Gone(err)
	defer closeFiles(left)
	for err == nil && len(left) > 0 {
		n := min(len(left), maxFiles)
		files := make([]File, n)
		for i, f := range left[:n] {
			files[i] = FileOf("", f)
		}
		err = g.wire.say(sayConns, nil, files...)
		closeFiles(left[:n])
		left = left[n:]
	}
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
