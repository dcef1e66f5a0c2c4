package adapter_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/internal/stress/adapter"
)

const password = "stress-test-password"

// The client of the load goes through a whole stay on each server as recorded.
func TestClientOnRecordedServers(t *testing.T) {
	for _, kind := range adapter.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			var all []exchange
			for _, name := range []string{"register", "taken", "wrong-password", "logout", "rate-limited"} {
				all = append(all, readRecording(t, kind, name).Exchanges...)
			}
			rt, err := adapter.New(adapter.Config{Kind: kind}, newTransport(t))
			if err != nil {
				t.Fatal(err)
			}
			c, err := client.New(serve(t, all), client.Options{Transport: rt, MaxRetries: -1})
			if err != nil {
				t.Fatal(err)
			}
			stay(t, c)
		})
	}
}

func stay(t *testing.T, c *client.Client) {
	t.Helper()
	ctx, name := t.Context(), "stress-000001"
	s, err := c.Register(ctx, name, password)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.Me(ctx); err != nil || p.ID != s.PlayerID || p.Name != name {
		t.Errorf("me: %+v, %v", p, err)
	}
	if _, err := c.Register(ctx, name, "another-password"); !errors.Is(err, rushgate.UsernameTaken) {
		t.Errorf("registered again: %v", err)
	}
	if _, err := c.Login(ctx, name, "not-the-password"); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("with another password: %v", err)
	}
	s, err = c.Login(ctx, name, password)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Logout(ctx); err != nil {
		t.Errorf("logout: %v", err)
	}
	if _, err := s.Me(ctx); !errors.Is(err, rushgate.BadCredentials) {
		t.Errorf("me after logout: %v", err)
	}
	if _, err := c.Login(ctx, name, password); !errors.Is(err, rushgate.RateLimited) {
		t.Errorf("too often: %v", err)
	}
	if _, err := c.Status(ctx); err == nil {
		t.Error("a status, which these servers have not")
	}
}

// What a registration has done is not done again when its client comes back.
func TestRegistrationGoesOnWhereItWas(t *testing.T) {
	lost := errors.New("connection reset")
	tests := []struct {
		name  string
		kind  adapter.Kind
		steps []reaction
	}{
		{"busy between account and session", adapter.PocketBase, []reaction{
			{says(200, pocketBaseRecord), "POST game.test/base/api/collections/users/records"},
			{says(503, "", "Retry-After", "7"), "POST game.test/base/api/collections/users/auth-with-password"},
			{says(200, pocketBaseToken), "POST game.test/base/api/collections/users/auth-with-password"},
		}},
		{"answer lost, account made", adapter.PocketBase, []reaction{
			{fails(lost), "POST game.test/base/api/collections/users/records"},
			{says(400, pocketBaseTaken), "POST game.test/base/api/collections/users/records"},
			{says(200, pocketBaseToken), "POST game.test/base/api/collections/users/auth-with-password"},
		}},
		{"answer lost, account made", adapter.Supabase, []reaction{
			{fails(lost), "POST game.test/base/signup"},
			{says(422, supabaseTaken), "POST game.test/base/signup"},
			{says(200, supabaseToken), "POST game.test/base/token"},
		}},
		{"answer lost, account made", adapter.Nakama, []reaction{
			{fails(lost), "POST game.test/base/v2/account/authenticate/email"},
			{says(200, nakamaOld), "POST game.test/base/v2/account/authenticate/email"},
			{says(200, nakamaOld), "POST game.test/base/v2/account/authenticate/email"},
		}},
		{"answer lost, account not made", adapter.Nakama, []reaction{
			{fails(lost), "POST game.test/base/v2/account/authenticate/email"},
			{says(200, nakamaNew), "POST game.test/base/v2/account/authenticate/email"},
		}},
		{"answer lost between the requests", adapter.Kratos, []reaction{
			{says(200, kratosFlow), "GET game.test/base/self-service/registration/api"},
			{fails(lost), "POST game.test/base/self-service/registration"},
			{says(200, kratosFlow), "GET game.test/base/self-service/registration/api"},
			{says(400, `{"ui":{"messages":[{"id":4000007}]}}`), "POST game.test/base/self-service/registration"},
			{says(200, kratosFlow), "GET game.test/base/self-service/login/api"},
			{says(200, kratosToken), "POST game.test/base/self-service/login"},
		}},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind)+" "+tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s script
				var want []string
				for _, st := range tt.steps {
					s.steps, want = append(s.steps, st.says), append(want, st.to)
				}
				c := newClient(t, adapter.Config{Kind: tt.kind}, &s, client.Options{})
				if _, err := c.Register(t.Context(), "stress-000001", password); err != nil {
					t.Errorf("register: %v", err)
				}
				if !slices.Equal(s.asked, want) {
					t.Errorf("asked %q, want %q", s.asked, want)
				}
			})
		})
	}
}

// reaction is an answer and the request that it is expected to answer.
type reaction struct {
	says answerer
	to   string
}

// A name that another player has stays taken, however often the client has to ask.
func TestLostAnswerAndNameOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []answerer{
			fails(errors.New("connection reset")), says(400, pocketBaseTaken), says(400, pocketBaseWrong),
		}}
		c := newClient(t, adapter.Config{Kind: adapter.PocketBase}, s, client.Options{})
		_, err := c.Register(t.Context(), "bob", password)
		if !errors.Is(err, rushgate.UsernameTaken) || len(s.asked) != 3 {
			t.Errorf("%v after %q", err, s.asked)
		}
	})
}

// The pause that a server asks for is kept by the client, in whatever form it came.
func TestBusyServersAreGivenTheirTime(t *testing.T) {
	for name, header := range map[string][]string{
		"seconds": {"Retry-After", "7"},
		"a date":  {"Retry-After", "Fri, 02 Jan 2026 15:04:12 GMT", "Date", "Fri, 02 Jan 2026 15:04:05 GMT"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{steps: []answerer{says(503, "<html>", header...), says(200, supabaseToken)}}
			begin, noJitter := time.Now(), func() float64 { return 0 }
			c := newClient(t, adapter.Config{Kind: adapter.Supabase}, s, client.Options{Rand: noJitter})
			if _, err := c.Login(t.Context(), "alice", password); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := time.Since(begin); got != 7*time.Second {
				t.Errorf("%s: came back after %v", name, got)
			}
		})
	}
}
