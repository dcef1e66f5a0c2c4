package run

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/stress/adapter"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// When another server than Rushgate counts as idle: when so many logins in a row, made one after the other, took about
// as long as the shortest has. What goes on for players who have left makes them take longer, since it takes the same
// processors.
const (
	calmLogins = 3
	calmTimes  = 1.5
	calmSlack  = 20 * time.Millisecond
	calmPause  = 100 * time.Millisecond // between two logins
)

// idlePrefix begins the name of the account that logs in to find out whether a server is idle.
func idlePrefix(prefix string) string { return prefix + "-idle" }

// settling finds out when a server of another kind than Rushgate is idle, and what it has done for players who had
// left.
type settling struct {
	run      *run
	operator *adapter.Operator // nil: the server is Rushgate
	via      *http.Transport
	out      report.Settled
	shortest time.Duration // login
	accounts int           // before the load; -1: not known
}

// newSettling returns what follows a server of another kind than Rushgate.
func newSettling(r *run) *settling {
	s := &settling{run: r, accounts: -1}
	if r.cfg.Adapter.Kind == "" {
		return s
	}
	s.via = r.network.transport(observers + 1)
	operator, err := adapter.NewOperator(r.cfg.Adapter, r.cfg.Target, s.via)
	if err != nil {
		panic("stress: withDefaults let pass what adapter.NewOperator refuses: " + err.Error())
	}
	s.operator = operator
	return s
}

func (s *settling) close() {
	if s.via != nil {
		s.via.CloseIdleConnections()
	}
}

// before waits until the server is idle, notes how long a lone login takes, and asks what there is before the load.
func (s *settling) before(ctx context.Context, rep *report.Report, progress *progress) {
	if s.operator == nil {
		return
	}
	progress.stage("waiting until the server is idle", nil)
	hash, err := s.operator.Hash(ctx)
	if err != nil && !errors.Is(err, adapter.ErrUnasked) {
		rep.Note(fmt.Sprintf("how the server hashes passwords is not known: %v", err))
	}
	rep.Subject = report.Subject{Hash: hash}.Or(rep.Subject)
	begin := time.Now()
	idle, err := s.await(ctx)
	s.out.Before, s.out.IdleBefore = time.Since(begin).Seconds(), idle
	s.out.Login = float64(s.shortest) / float64(time.Millisecond)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		rep.Note(fmt.Sprintf("whether the server was idle before the load is not known: %v", err))
	case !idle:
		rep.Note(fmt.Sprintf("the server was not idle before the load: its logins did not take about as long as each other"+
			" within %v", s.run.cfg.Settle))
	}
	if n, err := s.count(ctx); err == nil {
		s.accounts = n
	} else if ctx.Err() == nil {
		rep.Note(fmt.Sprintf("what the server did for players who had left is not known: %v", err))
	}
}

// after waits until the server is idle again, and asks what it has done for the players of the run, who have all left
// or been let in.
func (s *settling) after(ctx context.Context, rep *report.Report) {
	if s.operator == nil || ctx.Err() != nil {
		return
	}
	rep.Settled = &s.out
	atOnce, err := s.count(ctx)
	if err != nil {
		atOnce = -1
	}
	begin := time.Now()
	idle, err := s.await(ctx)
	s.out.After, s.out.IdleAfter = time.Since(begin).Seconds(), idle
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		rep.Note(fmt.Sprintf("whether the server was idle after the load is not known: %v", err))
	case !idle:
		rep.Note(fmt.Sprintf("the server was not idle within %v after the last player had left", s.run.cfg.Settle))
	}
	if s.accounts < 0 {
		return // the report says why
	}
	n, err := s.count(ctx)
	if err != nil {
		rep.Note(fmt.Sprintf("what the server did for players who had left is not known: %v", err))
		return
	}
	made := n - s.accounts
	s.out.Accounts = &made
	if atOnce >= 0 {
		late := n - atOnce
		s.out.Late = &late
	}
	if s.run.cfg.Mode == report.Register && s.run.cfg.Scenario != report.Mixed {
		// A player who was refused may have an account, too, where it takes a second request to be let in.
		refused := rep.Busy + rep.RateLimited + rep.Expired + rep.Rejected
		for _, n := range rep.Failed {
			refused += n
		}
		left := max(0, made-rep.OK-refused)
		s.out.ForThoseGone = &left
	}
}

// count returns how many accounts of the run's players the server has.
func (s *settling) count(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.run.cfg.Settle) // one that is busy answers its operator late
	defer cancel()
	prefix := s.run.cfg.Prefix
	n, err := s.operator.Accounts(ctx, prefix+"-")
	for _, others := range []string{idlePrefix(prefix), calibrationPrefix(prefix)} {
		if err != nil {
			return 0, err
		}
		var some int
		some, err = s.operator.Accounts(ctx, others+"-")
		n -= some
	}
	return n, err
}

// await returns when the server is idle, and whether it is: its time may be up before. The error is that of the last
// login, if there was none that worked.
func (s *settling) await(ctx context.Context) (idle bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.run.cfg.Settle)
	defer cancel()
	c := s.client()
	name := account(idlePrefix(s.run.cfg.Prefix), 0)
	if s.shortest == 0 {
		_, err = c.Register(ctx, name, s.run.cfg.Password)
		if err != nil && !errors.Is(err, rushgate.UsernameTaken) {
			return false, err
		}
	}
	for calm := 0; calm < calmLogins; {
		begin := time.Now()
		_, err = c.Login(ctx, name, s.run.cfg.Password)
		took := time.Since(begin)
		switch {
		case ctx.Err() != nil:
			return false, nil
		case err != nil && s.shortest == 0 && !errors.Is(err, client.ErrNoAnswer) && !errors.Is(err, rushgate.ServerBusy):
			return false, err // it will not work either
		case err != nil:
			calm = 0
		case s.shortest == 0:
			s.shortest, calm = took, 1
		case took < s.shortest-calmSlack && float64(took)*calmTimes < float64(s.shortest): // those before were slow
			s.shortest, calm = took, 1
		case float64(took) <= float64(s.shortest)*calmTimes+float64(calmSlack):
			s.shortest = min(s.shortest, took)
			calm++
		default:
			calm = 0
		}
		if calm < calmLogins && !sleep(ctx, calmPause) {
			return false, nil
		}
	}
	return true, nil
}

// client returns a client that logs in over one connection and tries once.
func (s *settling) client() *client.Client {
	c, err := client.New(s.run.cfg.Target, client.Options{
		Transport: s.run.network.adapted(s.via), TryTimeout: s.run.cfg.TryTimeout, MaxRetries: -1, NoLine: true,
	})
	if err != nil {
		panic("stress: withDefaults let pass what client.New refuses: " + err.Error())
	}
	return c
}
