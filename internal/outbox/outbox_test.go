package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/mail"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/token"
	"github.com/rushgate/rushgate/store/memory"
)

// hash is of the form that package password writes; nothing is verified against it.
const hash = "cfdc3bec3abca6ca7eb6f7f34edbbb69$1000$484106989954ca49a6ed50ab1172edd76421d044d4c84fd0c3b2974049ca1f04"

// post is a mail server that does what a test wants.
type post struct {
	mu     sync.Mutex
	taken  []mail.Message
	at     []time.Time
	before error         // that it answers without having seen the message
	after  error         // that it answers when it has
	takes  time.Duration // that it needs
	now    int           // how many it has at once
	most   int
	tries  int
}

func (p *post) send(ctx context.Context, compose func(context.Context) (mail.Message, error)) error {
	p.mu.Lock()
	p.tries++
	p.now++
	p.most = max(p.most, p.now)
	before, after, takes := p.before, p.after, p.takes
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.now--
		p.mu.Unlock()
	}()
	if before != nil {
		return before
	}
	m, err := compose(ctx)
	if err != nil {
		return err
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return &mail.Error{Step: "message", Away: true}
	}
	if after != nil {
		return after
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken, p.at = append(p.taken, m), append(p.at, time.Now())
	return nil
}

func (p *post) set(before, after error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before, p.after = before, after
}

// asked returns how often it was asked, and for how many mails at once at most.
func (p *post) asked() (tries, most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tries, p.most
}

func (p *post) slow(takes time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takes = takes
}

func (p *post) mails() []mail.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]mail.Message(nil), p.taken...)
}

// scene is some nodes on one store.
type scene struct {
	*testing.T
	*post
	store  rushgate.Store
	ledger *account.Ledger
	log    *lines
}

// lines is a log that many write to.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

// within runs a test in a bubble.
func within(t *testing.T, f func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(memory.Options{})
		t.Cleanup(func() { _ = store.Close() })
		f(&scene{T: t, post: new(post), store: store, ledger: account.New(store), log: new(lines)})
	})
}

// node starts an outbox, which ends with the test.
func (s *scene) node() *Outbox { return s.nodeInRush(nil) }

// nodeInRush is node where rush says that logins need it.
func (s *scene) nodeInRush(rush func() bool) *Outbox {
	s.Helper()
	o := New(Config{
		Rush:   rush,
		Agenda: s.store, Ledger: s.ledger, Templates: mail.BuiltIn(), Send: s.send, Server: "The Game",
		Logger: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	o.Start()
	s.Cleanup(o.Stop)
	return o
}

// player makes an account, with a proved address if there is one.
func (s *scene) player(name, address string) account.Owner {
	s.Helper()
	made, err := s.ledger.Create(s.Context(), name, hash)
	if err != nil {
		s.Fatal(err)
	}
	who := account.Owner{Player: made.Player, Name: made.Name}
	if address == "" {
		return who
	}
	s.wants(who, address)
	letter, err := s.ledger.ChallengeEmail(s.Context(), who, false)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := s.ledger.VerifyEmail(s.Context(), who, letter.Code); err != nil {
		s.Fatal(err)
	}
	return who
}

func (s *scene) wants(who account.Owner, address string) {
	s.Helper()
	a, err := s.ledger.Account(s.Context(), who)
	if err != nil {
		s.Fatal(err)
	}
	if err := s.ledger.SetEmail(s.Context(), &secondfactor.Proved{Account: a}, address); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) recover(o *Outbox, name string) {
	s.Helper()
	if err := o.Recover(s.Context(), name, name, ""); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) wantMails(n int) {
	s.Helper()
	if got := s.mails(); len(got) != n {
		s.Errorf("%d mails were sent, want %d", len(got), n)
	}
}

func (s *scene) wantTasks(n int) {
	s.Helper()
	if got, err := s.store.CountTasks(s.Context(), Kind); err != nil || got != n {
		s.Errorf("%d tasks are left, error %v, want %d", got, err, n)
	}
}

// code returns the one in a mail.
func code(t *testing.T, m mail.Message) token.Code {
	t.Helper()
	_, rest, _ := strings.Cut(m.Text, "\n    ")
	text, _, _ := strings.Cut(rest, "\n")
	c, err := token.ParseCode(text)
	if err != nil {
		t.Fatalf("there is no code in %q", m.Text)
	}
	return c
}

func TestMailIsSentOnce(t *testing.T) {
	within(t, func(s *scene) {
		nodes := []*Outbox{s.node(), s.node(), s.node()}
		for i := range 50 {
			name := fmt.Sprintf("player%d", i)
			s.player(name, name+"@example.org")
			for _, o := range nodes { // as one who is impatient does
				s.recover(o, name)
			}
		}
		time.Sleep(time.Minute)
		s.wantMails(50)
		s.wantTasks(0)
		seen := make(map[string]bool)
		for _, m := range s.mails() {
			seen[m.To] = true
		}
		if _, most := s.asked(); len(seen) != 50 || most > 3*atOnce {
			t.Errorf("%d readers, %d mails at once", len(seen), most)
		}
	})
}

// In a rush of logins mails are sent one by one, ten a second at most; after it all that are left, at once.
func TestMailInARush(t *testing.T) {
	within(t, func(s *scene) {
		var rush atomic.Bool
		rush.Store(true)
		o := s.nodeInRush(rush.Load)
		s.slow(20 * time.Millisecond)
		for i := range 200 {
			name := fmt.Sprintf("player%d", i)
			s.player(name, name+"@example.org")
			s.recover(o, name)
		}
		time.Sleep(maxDelay + 5*time.Second)
		if n, _ := s.asked(); n < 40 || n > 90 {
			t.Errorf("%d mails in the 5 to 9 seconds of the rush", n)
		}
		if _, most := s.asked(); most != 1 {
			t.Errorf("%d mails at once", most)
		}
		rush.Store(false)
		time.Sleep(2 * time.Second)
		s.wantMails(200)
	})
}

func TestMailIsSentSoon(t *testing.T) {
	within(t, func(s *scene) {
		o := s.node()
		s.player("alice", "alice@example.org")
		for range 5 {
			time.Sleep(17 * time.Minute)
			asked := time.Now()
			s.recover(o, "alice")
			time.Sleep(time.Minute)
			s.mu.Lock()
			took := s.at[len(s.at)-1].Sub(asked)
			s.mu.Unlock()
			if took < minDelay || took > maxDelay+time.Second {
				t.Errorf("it took %v", took)
			}
		}
		s.wantMails(5)
	})
}

func TestCodesOfMails(t *testing.T) {
	within(t, func(s *scene) {
		o := s.node()
		who := s.player("alice", "alice@example.org")
		s.recover(o, "ALICE")
		time.Sleep(time.Minute)
		a, err := s.ledger.Find(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		s.wantMails(1)
		m := s.mails()[0]
		errs, err := s.ledger.Redeem(t.Context(), []account.Redemption{{Account: a, Code: code(t, m), Hash: hash}})
		right := err == nil && errs[0] == nil
		if !right || m.To != "alice@example.org" || m.Subject != "The Game: a new password" {
			t.Errorf("the code in %q for %s is right: %v", m.Subject, m.To, right)
		}

		s.wants(who, "new@example.org")
		if err := o.Verify(t.Context(), who, "de"); err != nil {
			t.Fatal(err)
		}
		if err := o.Changed(t.Context(), who, "old@example.org", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		s.wantMails(3)
		for _, m := range s.mails()[1:] {
			switch m.To {
			case "new@example.org":
				if _, err := s.ledger.VerifyEmail(t.Context(), who, code(t, m)); err != nil {
					t.Errorf("the code in %q: %v", m.Subject, err)
				}
			case "old@example.org":
				if !strings.Contains(m.Text, "Hello alice,") {
					t.Errorf("it reads %q", m.Text)
				}
			default:
				t.Errorf("there is one for %s", m.To)
			}
		}
	})
}

// Who asks once more while the mail before is on its way, as for another address, gets the code all the same, whatever
// the mail server says of the one before.
func TestAskedAnewMeanwhile(t *testing.T) {
	for _, after := range []error{nil, &mail.Error{Step: "message"}} {
		within(t, func(s *scene) {
			o := s.node()
			who := s.player("alice", "")
			s.wants(who, "old@example.org")
			s.slow(20 * time.Second)
			s.set(nil, after)
			verify := func() {
				s.Helper()
				if err := o.Verify(t.Context(), who, ""); err != nil {
					t.Fatal(err)
				}
			}
			verify()
			for tries := 0; tries == 0; tries, _ = s.asked() {
				time.Sleep(time.Millisecond)
			}
			s.slow(0)
			s.set(nil, nil)
			time.Sleep(20*time.Second - 500*time.Millisecond) // half a second before it is taken, or refused
			s.wants(who, "new@example.org")
			verify()
			time.Sleep(firstPause / 2)
			sent := s.mails()
			if len(sent) == 0 || sent[len(sent)-1].To != "new@example.org" {
				t.Fatalf("after %v: %d mails, none of them to the new address", after, len(sent))
			}
			if _, err := s.ledger.VerifyEmail(t.Context(), who, code(t, sent[len(sent)-1])); err != nil {
				t.Errorf("after %v, the code of the last mail: %v", after, err)
			}
			s.wantTasks(0)
		})
	}
}

func TestNoMailForNobody(t *testing.T) {
	within(t, func(s *scene) {
		o := s.node()
		who := s.player("alice", "")
		for _, name := range []string{"alice", "bob", "\x00", "x", strings.Repeat("x", 500)} {
			s.recover(o, name)
		}
		if err := o.Verify(t.Context(), who, ""); err != nil {
			t.Fatal(err)
		}
		if err := o.Verify(t.Context(), account.Owner{Player: who.Player + 1, Name: "alice"}, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		s.wantTasks(0)
		if tries, _ := s.asked(); tries != 0 {
			t.Error("the mail server was asked")
		}
	})
}

func TestMailOutlivesItsNode(t *testing.T) {
	within(t, func(s *scene) {
		first := s.node()
		s.player("alice", "alice@example.org")
		s.player("bob", "bob@example.org")
		s.slow(30 * time.Second)
		s.recover(first, "alice")
		time.Sleep(maxDelay + 10*time.Second)
		s.recover(first, "bob") // of alice's the message is under way
		first.Stop()
		s.wantMails(0)
		s.wantTasks(2)
		s.slow(0)
		s.node()
		time.Sleep(hold + time.Minute)
		s.wantMails(2)
		s.wantTasks(0)
	})
}

func TestMailServerThatIsAway(t *testing.T) {
	within(t, func(s *scene) {
		o := s.node()
		s.set(&mail.Error{Step: "connect", Away: true}, nil)
		for i := range 40 {
			name := fmt.Sprintf("player%d", i)
			s.player(name, name+"@example.org")
			s.recover(o, name)
		}
		time.Sleep(30 * time.Minute)
		if tries, _ := s.asked(); tries > 31*atOnce+20 {
			t.Errorf("it was asked %d times in half an hour", tries)
		}
		s.wantTasks(40)
		s.set(nil, nil)
		time.Sleep(5 * time.Minute)
		s.wantMails(40)
		s.wantTasks(0)
		for says, n := range map[string]int{"takes nothing": 1, "takes mail again": 1, "example.org": 0, "player": 0} {
			if got := strings.Count(s.log.String(), says); got != n {
				t.Errorf("the log says %q %d times, want %d:\n%s", says, got, n, s.log)
			}
		}

		s.set(&mail.Error{Step: "connect", Away: true}, nil)
		s.recover(o, "player1")
		time.Sleep(MaxAge + 5*time.Minute)
		s.wantTasks(0)
		s.wantMails(40)
	})
}

func TestMailThatIsPutOff(t *testing.T) {
	within(t, func(s *scene) {
		o := s.node()
		s.player("alice", "alice@example.org")
		s.set(nil, &mail.Error{Step: "recipient", Code: 450})
		s.recover(o, "alice")
		time.Sleep(20 * time.Minute)
		if tries, _ := s.asked(); tries < 4 || tries > 6 {
			t.Errorf("%d tries in 20 minutes", tries)
		}
		s.set(nil, nil)
		time.Sleep(25 * time.Minute)
		s.wantMails(1)
		s.wantTasks(0)
		// However often one mail was tried, it is one of those of an hour.
		for range account.CodesPerHour - 1 {
			s.recover(o, "alice")
			time.Sleep(time.Minute)
		}
		s.wantMails(account.CodesPerHour)
		s.recover(o, "alice")
		time.Sleep(time.Minute)
		s.wantMails(account.CodesPerHour)
		s.wantTasks(0)
	})
}

func TestMailThatIsRefused(t *testing.T) {
	within(t, func(s *scene) {
		o := s.node()
		s.player("alice", "alice@example.org")
		s.set(nil, &mail.Error{Step: "recipient", Code: 550, Refused: true})
		s.recover(o, "alice")
		time.Sleep(time.Hour)
		if tries, _ := s.asked(); tries != 1 {
			t.Errorf("%d tries", tries)
		}
		s.wantTasks(0)
		if log := s.log.String(); !strings.Contains(log, "refuses a mail") || strings.Contains(log, "alice") {
			t.Errorf("the log is %s", log)
		}
	})
}

func TestOutboxIsBounded(t *testing.T) {
	within(t, func(s *scene) {
		o := s.node()
		const limit = 100
		o.limit = limit
		s.set(&mail.Error{Step: "connect", Away: true}, nil)
		who := s.player("alice", "alice@example.org")
		n := 0
		for ; n < 2*limit; n++ {
			if err := o.Changed(t.Context(), who, "old@example.org", ""); errors.Is(err, ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if n != limit {
			t.Errorf("%d wait, want %d", n, limit)
		}
		s.set(nil, nil)
		time.Sleep(30 * time.Minute)
		s.wantMails(limit)
		if _, most := s.asked(); most > atOnce {
			t.Errorf("%d were sent at once", most)
		}
		if err := o.Changed(t.Context(), who, "old@example.org", ""); err != nil {
			t.Errorf("once they are sent: %v", err)
		}
	})
}

// away is a store that does not answer.
type away struct{ rushgate.Store }

func (away) LoadAccounts(context.Context, []string) ([]rushgate.LoadedAccount, error) {
	return nil, rushgate.ErrUnavailable
}

func TestStoreThatIsAway(t *testing.T) {
	within(t, func(s *scene) {
		s.player("alice", "alice@example.org")
		ledger := s.ledger
		s.ledger = account.New(away{s.store})
		o := s.node()
		s.recover(o, "alice")
		time.Sleep(time.Minute)
		s.wantTasks(1)
		o.Stop()
		s.ledger = ledger
		s.node()
		time.Sleep(hold + time.Minute)
		s.wantMails(1)
	})
}

func TestTasksSayNoSecret(t *testing.T) {
	within(t, func(s *scene) {
		o := s.node()
		s.player("alice", "alice@example.org")
		s.set(nil, &mail.Error{Step: "recipient", Code: 450})
		s.recover(o, "alice")
		time.Sleep(10 * time.Second)
		tasks, err := s.store.TakeTasks(t.Context(), Kind, 10, time.Second)
		time.Sleep(10 * time.Minute)
		if err != nil || len(tasks) > 1 {
			t.Fatalf("%d tasks, error %v", len(tasks), err)
		}
		for _, task := range tasks {
			if strings.Contains(string(task.Data), "@") || strings.Contains(string(task.Data), "-") {
				t.Errorf("a task is %s", task.Data)
			}
		}
	})
}

func TestTasksOfOtherVersions(t *testing.T) {
	within(t, func(s *scene) {
		s.node()
		for i, data := range []string{"", "{", `{"do":"newsletter","name":"alice"}`, `{"do":"recover","name":"alice"}`} {
			_, err := s.store.PlanTasks(t.Context(), []rushgate.Task{
				{Kind: Kind, ID: fmt.Sprint(i), Due: time.Now(), Data: []byte(data)},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		s.wantTasks(0)
		s.wantMails(0)
	})
}

func TestStopIsPrompt(t *testing.T) {
	within(t, func(s *scene) {
		o := s.node()
		s.slow(time.Hour)
		s.player("alice", "alice@example.org")
		s.recover(o, "alice")
		time.Sleep(10 * time.Second)
		began := time.Now()
		o.Stop()
		o.Stop()
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
		never := New(o.cfg)
		never.Stop()
		never.Start()
	})
}
