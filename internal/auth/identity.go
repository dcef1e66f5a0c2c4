package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/metric"
	"github.com/rushgate/rushgate/internal/secondfactor"
	"github.com/rushgate/rushgate/internal/token"
	"github.com/rushgate/rushgate/password"
)

// Shown is an identity that was proved, in place of a name and a password.
type Shown struct {
	// Credential is the identity, as package linked makes it. It is a secret.
	Credential rushgate.Credential
	// Create has an account be made if none has the identity.
	Create bool
	// Names returns what that account may be called: the n-th name that is tried, from 0 on, canonical as
	// [rushgate.NewUsername] has it. Nil and empty names stand for one by chance. It must be safe for concurrent use.
	Names func(n int) string
}

// identified is what a job has found out about the identity that it shows.
type identified struct {
	key   rushgate.IdentityKey
	owner rushgate.PlayerID // who has claimed it, 0 for nobody
	// stale is an owner whose account is gone or has not the identity, whose claim may be replaced.
	stale   rushgate.PlayerID
	nobody  bool              // has it, as far as is known: Username is the name of the account to be made
	tries   int               // how many names were tried
	id      rushgate.PlayerID // of the account to be made, once it is needed
	claimed bool              // for id
	unsure  bool              // whether the account was made
	made    bool              // the account was
	// founds: an account is to be made in this round, with its session or, for a player who is to wait for the world,
	// without.
	founds, waits bool

	// Of the name: proposed says that it is what a provider calls the player, or made of that; allowed is the one that the
	// policy has let pass. The policy may have refused a proposal, so that byChance is what is left, or such a one, too.
	proposed, byChance, forbidden bool
	allowed                       string
}

// Identity lets a player in by the [Request].Shown of a device or a provider, whatever its kind says; names and
// passwords are not looked at. It stands for the password, and is served in the lane of requests with tokens. If no
// account has the identity one is made, or the error is [rushgate.BadCredentials]. Errors are as for [Pool.Submit]
// otherwise; [rushgate.ServerBusy] is that of who comes while another makes the account.
func (p *Pool) Identity(ctx context.Context, r Request) (Welcome, error) {
	key, ok := linked.Key(r.Shown.Credential)
	if !ok {
		return Welcome{}, rushgate.MissingCredentials
	}
	// Until it is known whose it is the door counts by what can be no name.
	r.Kind, r.Username, r.Imported = Identity, "", ""
	if err := p.askPolicy(r); err != nil {
		return Welcome{}, err
	}
	r.Username = fmt.Sprintf("identity %x", key)
	return p.show(ctx, r)
}

// findIdentities finds out, in one call of the store, who has claimed the identities of a batch, each time that it is
// served: another may have claimed it in the meantime.
func (p *Pool) findIdentities(ctx context.Context, jobs []*job) error {
	var open []*job
	var keys []rushgate.IdentityKey
	for _, j := range jobs {
		if j.Kind == Identity && !j.answered.Load() {
			j.identity.key, _ = linked.Key(j.Shown.Credential)
			open, keys = append(open, j), append(keys, j.identity.key)
		}
	}
	if len(open) == 0 {
		return nil
	}
	owners, err := p.cfg.Store.IdentityOwners(ctx, keys)
	if err == nil && len(owners) != len(keys) {
		err = fmt.Errorf("%d owners of %d identities", len(owners), len(keys))
	}
	if err != nil {
		return err
	}
	for i, j := range open {
		j.identity.owner, j.identity.nobody = owners[i], false
		j.named = false
	}
	return nil
}

// ownerOf is whose account a job claims to come for, as far as that is known before it is loaded; 0 for nobody.
func (j *job) ownerOf() rushgate.PlayerID {
	switch {
	case j.Kind == Passkey:
		return j.Assertion.Player()
	case j.Kind == Identity && j.identity.owner != j.identity.stale:
		return j.identity.owner
	}
	return 0
}

// callIt gives a job whose identity no account has the name that its account may get, if it may have one.
func (j *job) callIt() {
	i := &j.identity
	i.nobody, i.stale = true, i.owner
	if j.Shown.Create {
		j.Username, i.proposed = j.proposal(i.tries)
	}
}

// proposal is the n-th name for the account of a job, and whether it is what the player is called elsewhere.
func (j *job) proposal(n int) (name string, proposed bool) {
	if j.Shown.Names != nil && !j.identity.byChance {
		if name := j.Shown.Names(n); name != "" {
			return name, true
		}
	}
	return j.chanceName(), false
}

func (j *job) chanceName() string {
	if j.Shown.Credential.Kind == linked.Guest {
		return linked.GuestName()
	}
	return linked.PlayerName()
}

// judgeIdentity prepares the admission of a player whose identity the account has, or has an account be made for one
// that nobody has.
func (p *Pool) judgeIdentity(j *job) {
	i := &j.identity
	switch {
	case i.nobody:
		p.judgeNewcomer(j)
	case j.account.ID != i.owner:
		j.again = true
		if p.doubts.Stale(i.key, i.owner, time.Now()) {
			i.stale = i.owner
		}
	case !holds(j.account.Credentials, j.Shown.Credential):
		i.stale, j.again = i.owner, true
	default:
		p.judgeOwner(j)
	}
}

// holds reports whether an identity is among credentials, in a time that does not depend on where secrets differ.
func holds(credentials []rushgate.Credential, shown rushgate.Credential) (found bool) {
	for _, c := range credentials {
		if c.Kind == shown.Kind && c.Provider == shown.Provider && c.Subject == shown.Subject {
			found = subtle.ConstantTimeCompare([]byte(c.Secret), []byte(shown.Secret)) == 1 || found
		}
	}
	return found
}

// judgeOwner prepares the admission of a player whose account has the identity that was shown.
func (p *Pool) judgeOwner(j *job) {
	j.proved, j.credentials = true, nil
	j.seat.Identify(j.Username)
	if secondfactor.Of(j.account.Credentials).Active {
		if j.Factor != "" { // whoever has the identity alone could try codes without an end
			if err := j.seat.Guess(); err != nil {
				j.refuseFor(err)
				return
			}
			j.guessed = true
		}
		if !p.judgeCode(j) {
			return
		}
	}
	p.noteVisit(j)
	if err := p.takeSeat(j); err != nil {
		j.refuseFor(err)
		return
	}
	if j.session == (token.Session{}) || j.session.Name() != j.account.Username {
		j.session = p.unsettled.sessionFor(j.account.Username, j)
	}
	j.admission = rushgate.Admission{
		Account: j.account, Attempt: j.attempt, Session: j.session.Hash(), Takeover: j.Takeover,
		Credentials: j.credentials,
	}
	p.remember(j)
}

// noteVisit has the admission of a guest note in the account that the guest was here, once in a while: those who do not
// come back are deleted.
func (p *Pool) noteVisit(j *job) {
	before := j.account.Credentials
	if j.credentials != nil {
		before = j.credentials
	}
	now := time.Now()
	if p.cfg.GuestMark == 0 || !linked.IsGuestName(j.account.Username) || now.Sub(j.account.CreatedAt) < p.cfg.GuestMark ||
		now.Sub(linked.VisitedAt(before)) < p.cfg.GuestMark || len(before) >= rushgate.MaxCredentials {
		return
	}
	j.credentials = linked.Visit(before, now)
}

// judgeNewcomer decides whether an account is to be made for a job whose identity nobody has.
func (p *Pool) judgeNewcomer(j *job) {
	i := &j.identity
	if !j.Shown.Create {
		j.refuseFor(rushgate.BadCredentials)
		return
	}
	if j.account.ID != 0 { // another's, of this name
		i.tries++
		j.again = true
		return
	}
	making := door.Registration
	if j.Shown.Credential.Kind == linked.Guest {
		making = door.Guest
	}
	err := p.mayFound(&j.Request)
	if err == nil {
		j.again, err = p.mayBeCalled(j)
	}
	if j.again {
		return
	}
	if err == nil {
		err = j.seat.Make(making)
	}
	if err == nil {
		j.seat.Identify(j.Username)
		err = p.mayEnter(j)
	}
	if err == nil {
		if err = j.seat.Sit(j.proven()); errors.Is(err, door.ErrNobody) {
			i.waits, err = true, nil // once there is an account, there is a player who can stand there
		}
	}
	if err != nil {
		j.refuseFor(err)
		return
	}
	i.founds = true
}

// found makes the accounts of jobs whose identities nobody has: it claims them, in one call of the store, and returns
// those jobs which are to be admitted with what makes the account, and those which are to be judged again.
func (p *Pool) found(ctx context.Context, jobs []*job) (admitted, again []*job) {
	var claims []rushgate.IdentityClaim
	var open []*job
	for n, j := range jobs {
		if j.identity.id == 0 {
			id, err := p.ids.Take(ctx)
			if err != nil { // which it would be for the others, too
				p.storeFailed(jobs[n:], "reserve player ids", err)
				break
			}
			j.identity.id = id
		}
		open = append(open, j)
		c := rushgate.IdentityClaim{Key: j.identity.key, Player: j.identity.id}
		if j.identity.stale != c.Player {
			c.Replaces = j.identity.stale
		}
		claims = append(claims, c)
	}
	if len(open) == 0 {
		return nil, nil
	}
	owners, err := p.claim(ctx, claims)
	if err != nil {
		p.storeFailed(open, "claim identities", err)
		return nil, nil
	}
	var waiting []*job
	for n, j := range open {
		switch {
		case owners[n] != j.identity.id: // another makes the account, or has just made it
			j.refuseFor(p.busy(door.UnderWay, nil))
		case j.identity.waits:
			j.identity.claimed = true
			waiting = append(waiting, j)
		default:
			j.identity.claimed = true
			p.prepareNew(j)
			admitted = append(admitted, j)
		}
	}
	return admitted, p.foundWaiting(ctx, waiting)
}

// claim carries out claims of identities, in one call of the store.
func (p *Pool) claim(ctx context.Context, claims []rushgate.IdentityClaim) ([]rushgate.PlayerID, error) {
	owners, err := p.cfg.Store.ClaimIdentities(ctx, claims)
	if err == nil && len(owners) != len(claims) {
		err = fmt.Errorf("%d owners for %d claims", len(owners), len(claims))
	}
	return owners, err
}

// prepareNew makes the admission of a job whose account is to be made.
func (p *Pool) prepareNew(j *job) {
	account := j.newAccount()
	j.session = p.unsettled.sessionFor(account.Username, j)
	j.admission = rushgate.Admission{
		Create: true, Account: account, Attempt: j.attempt, Session: j.session.Hash(), Takeover: j.Takeover,
	}
	p.remember(j)
}

// newAccount is the account that is made for a job: no password opens it.
func (j *job) newAccount() rushgate.Account {
	return rushgate.Account{
		ID: j.identity.id, Username: j.Username, PasswordHash: password.Locked(),
		Credentials: []rushgate.Credential{j.Shown.Credential}, Attempt: j.attempt,
		CreatedAt: time.Now().Truncate(time.Millisecond),
	}
}

// foundWaiting makes the accounts of players who have to wait for the world, without a session, and returns the jobs to
// judge again.
func (p *Pool) foundWaiting(ctx context.Context, jobs []*job) (again []*job) {
	if len(jobs) == 0 {
		return nil
	}
	accounts, names := make([]rushgate.Account, len(jobs)), make([]string, len(jobs))
	for i, j := range jobs {
		accounts[i], names[i] = j.newAccount(), j.Username
	}
	// That a name can be taken for another's is no reason for the store to refuse these.
	lookalikes, err := p.cfg.Store.Lookalikes(ctx, names)
	if err == nil && len(lookalikes) != len(names) {
		err = fmt.Errorf("%d names for %d names", len(lookalikes), len(names))
	}
	if err != nil {
		p.storeFailed(jobs, "names", err)
		return nil
	}
	var open []*job
	for i, j := range jobs {
		if lookalikes[i] != "" {
			j.identity.tries++
			again = append(again, j)
			continue
		}
		accounts[len(open)] = accounts[i]
		open = append(open, j)
	}
	if len(open) == 0 {
		return again
	}
	errs, err := p.cfg.Store.CreateAccounts(ctx, accounts[:len(open)])
	if err == nil && len(errs) != len(open) {
		err = fmt.Errorf("%d results for %d accounts", len(errs), len(open))
	}
	if err != nil {
		p.storeFailed(open, "create accounts", err)
		return again
	}
	for i, j := range open {
		switch {
		case errors.Is(errs[i], rushgate.UsernameTaken):
			j.identity.tries++
		case errs[i] != nil:
			j.refuseFor(fmt.Errorf("auth: create an account: %w", errs[i]))
			continue
		default:
			p.founded(j)
		}
		again = append(again, j)
	}
	return again
}

// founded notes that the account of a job was made.
func (p *Pool) founded(j *job) {
	j.identity.made, j.identity.stale = true, 0
	j.seat.Made()
	p.metrics.identities.made.count(j.Shown.Credential.Kind)
}

// unclaim frees the identities of jobs that have claimed one and got no account, so that their next try need not wait
// until the claim is stale. It need not succeed.
func (p *Pool) unclaim(jobs []*job) {
	var claims []rushgate.IdentityClaim
	for _, j := range jobs {
		if i := &j.identity; i.claimed && !i.made && !i.unsure {
			claims = append(claims, rushgate.IdentityClaim{Key: i.key, Replaces: i.id})
		}
	}
	if len(claims) == 0 {
		return
	}
	ctx, cancel := storeContext()
	defer cancel()
	if _, err := p.claim(ctx, claims); err != nil {
		p.cfg.Logger.Warn("auth: identities stay claimed for a moment", "identities", len(claims), "error", err)
	}
}

// identityMetrics counts players who come by identities, and the accounts that were made for them.
type identityMetrics struct{ made, in byIdentity }

// byIdentity is a number of guests, and one of players for whom a provider vouches.
type byIdentity struct{ guests, federated atomic.Int64 }

func (b *byIdentity) count(kind string) {
	if kind == linked.Guest {
		b.guests.Add(1)
		return
	}
	b.federated.Add(1)
}

// ByIdentity is how many players have come by the two kinds of identities, or accounts were made for them.
type ByIdentity struct{ Guests, Federated int64 }

func (b *byIdentity) total() ByIdentity { return ByIdentity{b.guests.Load(), b.federated.Load()} }

// Identities returns how often players have come in by identities since the start, and how many accounts were made for
// them.
func (p *Pool) Identities() (in, made ByIdentity) {
	m := &p.metrics.identities
	return m.in.total(), m.made.total()
}

// write tells of identities.
func (m *identityMetrics) write(out metric.Scrape) {
	for _, c := range []struct {
		name, help string
		ByIdentity
	}{
		{"rushgate_identity_accounts_total", "Accounts made for identities that no account had.", m.made.total()},
		{"rushgate_identity_logins_total", "Players let in by identities.", m.in.total()},
	} {
		out.Counter(c.name, c.help, float64(c.Guests), "kind", linked.Guest)
		out.Counter(c.name, c.help, float64(c.Federated), "kind", linked.Federated)
	}
}
