package client_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
	"github.com/rushgate/rushgate/server"
)

// Against a real node: a guest becomes a player with a name in place, links another way in and comes by it, and takes
// the first one away.
func TestUpgradeAndLink(t *testing.T) {
	node := vouchingNode(t, nil)
	c := clientOf(t, node, client.Options{Remember: "a phone"})
	ctx := t.Context()
	device := client.NewGuest()
	s, err := c.Guest(ctx, device)
	if err != nil {
		t.Fatal(err)
	}
	var none client.AccountProof
	if _, err := s.LinkGuest(ctx, client.NewGuest(), none); !errors.Is(err, rushgate.MissingCredentials) ||
		!strings.Contains(err.Error(), "ByPassword") {
		t.Errorf("without a proof: %v", err)
	}
	wrong := client.ByGuest(client.NewGuest())
	if err := s.Upgrade(ctx, "Ada", "correct horse battery", wrong); !errors.Is(err, rushgate.BadCredentials) ||
		errors.Is(err, client.ErrSessionEnded) {
		t.Errorf("another device's secret: %v", err)
	}
	if err := s.Upgrade(ctx, "Ada", "x", client.ByPassword("x")); !errors.Is(err, rushgate.MissingCredentials) {
		t.Errorf("by a password: %v", err)
	}
	if err := s.Upgrade(ctx, "Ada", "correct horse battery", client.ByGuest(device)); err != nil {
		t.Fatal(err)
	}
	me, err := s.Me(ctx) // of the session that goes on
	if err != nil || me.Name != "ada" || me.ID != s.PlayerID {
		t.Fatalf("%+v, %v", me, err)
	}
	all, err := s.LinkIdentity(ctx, vouched(t, c, "ada-elsewhere"), client.ByPassword("correct horse battery"))
	if err != nil || len(all) != 2 || !all[0].Guest || all[1].Issuer != "game:launcher" ||
		all[1].Subject != "ada-elsewhere" {
		t.Fatalf("%+v, %v", all, err)
	}
	if _, err := s.LinkGuest(ctx, client.NewGuest(), client.ByIdentity(vouched(t, c, "eve"))); !errors.Is(err,
		rushgate.BadCredentials) {
		t.Errorf("by an identity that the account has not: %v", err)
	}
	if all, err = s.LinkGuest(ctx, client.NewGuest(), client.ByIdentity(vouched(t, c, "ada-elsewhere"))); len(all) != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	elsewhere, err := clientOf(t, node, client.Options{}).TakeoverWithIdentity(ctx, vouched(t, c, "ada-elsewhere"))
	if err != nil || elsewhere.PlayerID != s.PlayerID {
		t.Fatalf("%+v, %v", elsewhere, err)
	}
	if err := elsewhere.Unlink(ctx, all[0].Handle, client.ByPassword("correct horse battery")); err != nil {
		t.Fatal(err)
	}
	if left, err := elsewhere.Identities(ctx); err != nil || len(left) != 2 || left[0].Handle != all[1].Handle {
		t.Errorf("%+v, %v", left, err)
	}
	if other, err := c.Guest(ctx, device); err != nil || other.PlayerID == s.PlayerID {
		t.Errorf("the device that was unlinked: %+v, %v", other, err)
	}
}

// Against a real node: a player who has an account and has played as a guest keeps the character of either.
func TestMerge(t *testing.T) {
	node := vouchingNode(t, nil)
	for keep, name := range map[client.Keep]string{client.KeepOwn: "own", client.KeepGuest: "theguests"} {
		c, ctx := clientOf(t, node, client.Options{}), t.Context()
		device := client.NewGuest()
		guest, err := c.Guest(ctx, device)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Register(ctx, name, "correct horse battery")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.LinkGuest(ctx, device, client.ByPassword("correct horse battery")); !errors.Is(err,
			rushgate.MissingCredentials) {
			t.Errorf("the device of a guest: %v", err)
		}
		never := client.NewGuest()
		err = s.Merge(ctx, never, client.KeepGuest, client.ByPassword("correct horse battery"))
		if me, still := s.Me(ctx); !errors.Is(err, rushgate.MissingCredentials) || still != nil || me.ID != s.PlayerID {
			t.Errorf("a guest who never was: %v; then %v", err, still)
		}
		if err := s.Merge(ctx, device, keep, client.ByPassword("correct horse battery")); err != nil {
			t.Fatalf("%s: %v", keep, err)
		}
		if me, err := s.Me(ctx); err != nil || me.ID != s.PlayerID {
			t.Errorf("%s: %+v, %v", keep, me, err)
		}
		by, err := c.Guest(ctx, device)
		if err != nil || by.PlayerID != s.PlayerID || by.PlayerID == guest.PlayerID {
			t.Errorf("%s: by the device: %+v, %v", keep, by, err)
		}
	}
}

// Where passwords are proved by OPAQUE, the one that a guest gets is not shown either; and a guest, who has none,
// deletes the account by the device.
func TestUpgradeByOpaque(t *testing.T) {
	node := vouchingNode(t, func(cfg *server.Config) { cfg.Opaque = server.OpaqueOnly })
	c, ctx := clientOf(t, node, client.Options{Opaque: client.OpaqueOnly}), t.Context()
	device := client.NewGuest()
	s, err := c.Guest(ctx, device)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Upgrade(ctx, "Grace", "correct horse battery", client.ByGuest(device)); err != nil {
		t.Fatal(err)
	}
	if me, err := s.Me(ctx); err != nil || me.Name != "grace" || !s.ByOpaque() {
		t.Errorf("%+v, %v", me, err)
	}
	again, err := c.Takeover(ctx, "grace", "correct horse battery")
	if err != nil || again.PlayerID != s.PlayerID {
		t.Fatalf("%+v, %v", again, err)
	}
	if at, err := again.DeleteAccountBy(ctx, client.ByGuest(device)); err != nil || at.IsZero() {
		t.Errorf("%v, %v", at, err)
	}
}

// A proof of an account shows nothing of what it is made of.
func TestAccountProofsAreSecret(t *testing.T) {
	p := struct{ P client.AccountProof }{client.ByPassword("correct horse battery")}
	if shown := fmt.Sprintf("%v %+v %#v %s", p, p, p, p.P); strings.Contains(shown, "horse") {
		t.Errorf("prints as %s", shown)
	}
}
