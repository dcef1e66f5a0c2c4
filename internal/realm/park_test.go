package realm

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/token"
)

// named lets a player in with a session that can go on, and returns its token.
func (f *fixture) named(t *testing.T, name string) token.Session {
	t.Helper()
	id, err := f.store.ReserveIDs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	a := rushgate.Account{ID: id, Username: name, PasswordHash: "hash of " + name, CreatedAt: time.Now()}
	f.names[name] = a
	session := token.NewSession(name)
	results, err := f.store.Admit(t.Context(), here,
		[]rushgate.Admission{{Account: a, Create: true, Attempt: name, Session: session.Hash()}})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	f.arrives(t, session, results[0])
	return session
}

// arrives brings a player inside whom the store has admitted.
func (f *fixture) arrives(t *testing.T, session token.Session, admitted rushgate.Admitted) {
	t.Helper()
	replied := make(chan error, 1)
	f.Enter(rushgate.Arrival{Admitted: admitted, Token: session.Text(), Reply: func(s rushgate.Session, err error) {
		if err == nil && s.Token != session.Text() {
			err = errors.New("the session has another token")
		}
		replied <- err
	}})
	if err := <-replied; err != nil {
		t.Fatal(err)
	}
}

// goOn has the store admit the player of a session that is to go on at a node.
func (f *fixture) goOn(t *testing.T, by rushgate.Instance, session token.Session) rushgate.Admitted {
	t.Helper()
	results, err := f.store.Admit(t.Context(), by, []rushgate.Admission{{
		Account: f.names[session.Name()], Attempt: "x", Session: session.Hash(), Continue: true, Takeover: true,
		Grace: DefaultSessionTimeout,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

// How a session ends says whether it can go on: what stops a realm, or moves a player, parks it, and nothing else does.
func TestWhatParksASession(t *testing.T) {
	for how, tt := range map[string]struct {
		end    func(t *testing.T, f *fixture, s token.Session)
		within time.Duration // in which it is tried
		want   error
	}{
		"the realm stops": {
			func(t *testing.T, f *fixture, _ token.Session) { f.Stop(t.Context()) }, 0, nil,
		},
		"the realm stops, long ago": {
			func(t *testing.T, f *fixture, _ token.Session) { f.Stop(t.Context()) }, DefaultSessionTimeout + time.Second,
			rushgate.BadCredentials,
		},
		"it moves": {
			func(t *testing.T, f *fixture, s token.Session) {
				if got := f.goOn(t, elsewhere, s); !errors.Is(got.Err, rushgate.AlreadyLoggedIn) || got.Holder != here {
					t.Errorf("while it is here the store says %+v", got)
				}
				time.Sleep(watchInterval + time.Second)
				if st := f.Stats(); st.SessionsMoved != 1 || st.SessionsTakenOver != 0 || st.Players != 0 {
					t.Errorf("stats %+v", st)
				}
			}, 0, nil,
		},
		"logout": {
			func(t *testing.T, f *fixture, s token.Session) {
				if err := f.Logout(t.Context(), s.Text()); err != nil {
					t.Error(err)
				}
			}, 0, rushgate.BadCredentials,
		},
		"silence": {
			func(*testing.T, *fixture, token.Session) { time.Sleep(DefaultSessionTimeout + 2*time.Second) }, 0,
			rushgate.BadCredentials,
		},
		"another login": {
			func(t *testing.T, f *fixture, _ token.Session) {
				f.askFor(t, elsewhere, "alice", "second")
				time.Sleep(watchInterval + time.Second)
			}, 0, rushgate.BadCredentials,
		},
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				f.Start()
				session := f.named(t, "alice")
				tt.end(t, f, session)
				synctest.Wait()
				time.Sleep(tt.within)
				if got := f.goOn(t, elsewhere, session); !errors.Is(got.Err, tt.want) || got.Err == nil != (tt.want == nil) {
					t.Errorf("elsewhere the store says %+v, want %v", got, tt.want)
				}
				f.Stop(t.Context())
			})
		})
	}
}

// The connection that a player has left behind at a node does not say that the session is over; and a player who comes
// back after all finds everything as it was.
func TestASessionThatMovesAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.Start()
		session := f.named(t, "alice")
		c := &recordedConnection{}
		seat, err := f.Attach(session.Text(), recordedTransport{}, c)
		if err != nil {
			t.Fatal(err)
		}
		defer seat.Detach()
		f.goOn(t, elsewhere, session)
		time.Sleep(watchInterval + time.Second)
		synctest.Wait()
		if c.cause != Replaced || !c.ended {
			t.Errorf("the connection has ended: %v, for %v", c.ended, c.cause)
		}
		back := f.goOn(t, here, session)
		if back.Err != nil {
			t.Fatal(back.Err)
		}
		f.arrives(t, session, back)
		if err := f.call(session.Text()); err != nil {
			t.Error(err)
		}
		f.Stop(t.Context())
	})
}

// recordedConnection notes how it is ended.
type recordedConnection struct {
	cause Cause
	ended bool
}

func (c *recordedConnection) Disconnect(why Cause)    { c.cause, c.ended = why, true }
func (c *recordedConnection) LastReceived() time.Time { return time.Time{} }

// recordedTransport sends nothing.
type recordedTransport struct{}

func (recordedTransport) Name() string                          { return "recorded" }
func (recordedTransport) Lossless() bool                        { return false }
func (recordedTransport) NewSender() Sender                     { return recordedTransport{} }
func (recordedTransport) Send(Connection, []byte) error         { return nil }
func (recordedTransport) SendMessages(Connection, []byte) error { return nil }
func (recordedTransport) Flush()                                {}
