package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/door"
	"github.com/rushgate/rushgate/internal/opaque"
	"github.com/rushgate/rushgate/internal/opaquerecord"
	"github.com/rushgate/rushgate/internal/token"
	"github.com/rushgate/rushgate/password"
)

// job is a pending request with what the stages have found out about it.
type job struct {
	*pending
	attempt   string           // the client's, or one made for this request
	account   rushgate.Account // as loaded; zero if there is none
	hash      password.Job
	exact     password.Job // the same for Exact, if there is a second form to try
	fresh     password.Job // of an errand: the new password
	newHash   string       // to replace an outdated one with, or empty
	hashed    bool
	proved    bool // the password is right
	wrong     bool // it is not, or there is no such account
	asked     bool // for the second factor, which it has not
	admission rushgate.Admission

	// of the account once the code, or the state of a login by OPAQUE, is used up; nil if there is none to use up
	credentials []rushgate.Credential

	// Of a job that finishes what was begun by OPAQUE, see judgeFinish.
	opened  bool // its state was, with the outcome below
	openErr error
	key     opaque.SessionKey
	upload  opaquerecord.Proof    // of a registration; of a login what it was proved by
	made    []rushgate.Credential // that the account is to have which is made
	// answering: a job that begins has its answer, which it is told in a moment
	answering bool

	session token.Session // that is opened, or goes on
	device  token.Resume  // that the client is told; the zero token is none

	// Of a job of the lane, see judgeToken.
	change  rushgate.AccountChange // also what a job of the workers uses up, see usesUp
	refusal error                  // to be told when the batch is done
	once    bool                   // the token was good once
	named   bool                   // of a Passkey or an Identity: it has the name of the account, if there is one
	again   bool                   // it is to be judged once more: what was found does not fit together

	identity identified // of an Identity
	guessed  bool       // it is held against the account if the code is wrong
}

func newJob(r *pending) *job {
	j := &job{pending: r, attempt: r.Attempt}
	if j.attempt == "" {
		j.attempt = rand.Text()
	}
	return j
}

// stage works on the jobs that have no answer yet. It may be run again for a job, and must then end the same way.
type stage func(jobs []*job)

// jobsOf makes jobs of the requests that a worker has taken, but for those that have waited too long.
func (p *Pool) jobsOf(batch []*pending) []*job {
	jobs := make([]*job, 0, len(batch))
	for _, r := range batch {
		p.metrics.of(r.Kind).wait.Record(time.Since(r.enqueued))
		if r.stale() {
			p.expire(r)
			continue
		}
		jobs = append(jobs, newJob(r))
	}
	return jobs
}

// process takes a batch from the queue to its answers and returns how many passwords of its logins were hashed.
func (p *Pool) process(batch []*pending) int {
	jobs := p.jobsOf(batch)
	if len(jobs) == 0 {
		return 0
	}
	p.metrics.countBatch(len(jobs))
	p.run("load", jobs, p.load, p.metrics.load.Record)
	fast, slow := split(jobs, func(j *job) bool { return j.derivesStored() && p.cfg.Hasher.Slow(j.account.PasswordHash) })
	p.putAside(slow)
	return p.prove(fast)
}

// derivesStored reports whether the password that the account has is to be derived for a job.
func (j *job) derivesStored() bool { return j.Kind != Enter && j.Kind != Recover && !j.showsIdentity() }

// prove takes loaded jobs to their answers and returns how many passwords of logins were hashed.
func (p *Pool) prove(jobs []*job) (hashed int) {
	p.run("derive", jobs, p.derive, p.metrics.derive.Record)
	logins, errands := split(jobs, func(j *job) bool { return j.Kind.isErrand() })
	p.run("commit", logins, p.commit, p.metrics.commit.Record)
	p.run("settle", errands, p.settle, p.metrics.settle.Record)
	for _, j := range logins {
		if j.hashed {
			hashed++
		}
	}
	return hashed
}

// split returns the jobs for which f is false, and those for which it is true.
func split(jobs []*job, f func(*job) bool) (no, yes []*job) {
	for _, j := range jobs {
		if f(j) {
			yes = append(yes, j)
		} else {
			no = append(no, j)
		}
	}
	return no, yes
}

// run runs a stage on the jobs still open. A stage that panics is run once more for each job alone, so that the one
// that brings it down is answered internal-error and harms no other.
func (p *Pool) run(name string, jobs []*job, s stage, record func(time.Duration)) {
	open := make([]*job, 0, len(jobs))
	for _, j := range jobs {
		if !j.answered.Load() {
			open = append(open, j)
		}
	}
	if len(open) == 0 {
		return
	}
	start := time.Now()
	defer func() { record(time.Since(start)) }()
	if p.survives(name, s, open) {
		return
	}
	for _, j := range open {
		if !j.answered.Load() && (len(open) == 1 || !p.survives(name, s, []*job{j})) {
			p.fail(j, fmt.Errorf("auth: %s: panic", name))
		}
	}
}

func (p *Pool) survives(name string, s stage, jobs []*job) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			// The value might quote a request; the type and the stack say where to look.
			p.cfg.Logger.Error("auth stage panicked", "stage", name, "batch", len(jobs), "type", fmt.Sprintf("%T", v),
				"stack", string(debug.Stack()))
		}
	}()
	s(jobs)
	return true
}

// load fetches the accounts of a batch, and answers registrations whose name is gone.
func (p *Pool) load(jobs []*job) {
	ctx, cancel := storeContext()
	defer cancel()
	accounts, err := p.find(ctx, jobs)
	if err != nil {
		p.storeFailed(jobs, "load", err)
		return
	}
	lookalikes, err := p.lookalikes(ctx, jobs, accounts)
	if err != nil {
		p.storeFailed(jobs, "load", err)
		return
	}
	for i, j := range jobs {
		if j.Username == "" || j.Kind != Enter && !j.hasForm() || !j.sound() {
			p.fail(j, rushgate.MissingCredentials)
			continue
		}
		if err := accounts[i].Err; err != nil {
			p.fail(j, fmt.Errorf("auth: load: %w", err))
			continue
		}
		j.account = accounts[i].Account
		if j.Kind.isErrand() {
			j.forAnother()
		} else if j.Kind == Enter {
			p.recognise(j)
		} else if j.Kind == Register && j.account.ID != 0 {
			if err := j.goOnAsLogin(); err != nil {
				p.fail(j, err)
			}
		} else if lookalikes[j] {
			p.fail(j, rushgate.UsernameTaken)
		}
	}
}

// sound reports whether what a request says beside its credentials has the form that a store takes: it refuses a batch
// as a whole.
func (r *Request) sound() bool {
	if r.Remember != "" && !rushgate.ValidDeviceLabel(r.Remember) {
		return false
	}
	if r.Remember != "" || r.Kind.inLane() {
		return r.Attempt == "" || rushgate.ValidAttempt(r.Attempt)
	}
	return len(r.Attempt) <= rushgate.MaxAttemptLen
}

// lookalikes returns the registrations whose names can be taken for those of accounts. They are refused before they
// cost a hash, like those whose names are gone; of two at once, the store's Admit lets one in.
func (p *Pool) lookalikes(
	ctx context.Context, jobs []*job, accounts []rushgate.LoadedAccount,
) (map[*job]bool, error) {
	var open []*job
	var names []string
	for i, j := range jobs {
		if j.Kind == Register && j.Username != "" && accounts[i].ID == 0 && accounts[i].Err == nil {
			open, names = append(open, j), append(names, j.Username)
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	others, err := p.cfg.Store.Lookalikes(ctx, names)
	if err == nil && len(others) != len(names) {
		err = fmt.Errorf("%d names for %d names", len(others), len(names))
	}
	if err != nil {
		return nil, err
	}
	taken := make(map[*job]bool)
	for i, j := range open {
		taken[j] = others[i] != ""
	}
	return taken, nil
}

// find returns the account of each job, in one call of the store.
func (p *Pool) find(ctx context.Context, jobs []*job) ([]rushgate.LoadedAccount, error) {
	names := make([]string, len(jobs), 2*len(jobs))
	imported := make(map[int]int) // where the other name of a job is
	for i, j := range jobs {
		names[i] = j.Username
	}
	for i, j := range jobs {
		if j.Imported != "" && j.Kind != Register {
			imported[i] = len(names)
			names = append(names, j.Imported)
		}
	}
	accounts, err := p.loadAccounts(ctx, names)
	if err != nil {
		return nil, err
	}
	for i, k := range imported {
		if accounts[k].Err != nil || accounts[k].ID != 0 {
			accounts[i] = accounts[k]
		}
	}
	return accounts[:len(jobs)], nil
}

// loadAccounts returns the account of each name, in one call of the store.
func (p *Pool) loadAccounts(ctx context.Context, names []string) ([]rushgate.LoadedAccount, error) {
	accounts, err := p.cfg.Store.LoadAccounts(ctx, names)
	if err == nil && len(accounts) != len(names) {
		err = fmt.Errorf("%d accounts for %d names", len(accounts), len(names))
	}
	return accounts, err
}

// goOnAsLogin returns nil for a registration whose account was made by an earlier request of the same attempt, the
// answer to which got lost: it is a login from here on, and may be a guess. Any other finds the name taken.
func (j *job) goOnAsLogin() error {
	if j.Attempt == "" || j.account.Attempt != j.Attempt {
		return rushgate.UsernameTaken
	}
	return j.seat.Guess()
}

// derive computes the keys of a batch, and answers the jobs with a wrong password.
func (p *Pool) derive(jobs []*job) {
	_, jobs = split(jobs, func(j *job) bool { return j.Kind != Enter }) // others have no password to look at
	hashes := make([]*password.Job, 0, len(jobs))
	for _, j := range jobs {
		hashes = j.hashJobs(hashes)
	}
	p.cfg.Hasher.Run(p.hurrying, hashes)
	for _, j := range jobs {
		j.choose()
		j.hashed = j.hash.Err == nil
		switch {
		case errors.Is(j.hash.Err, context.Canceled):
			p.turnAway(j.pending)
		case errors.Is(j.hash.Err, password.ErrSkipped):
			p.expire(j.pending)
		case j.hash.Err != nil:
			p.fail(j, fmt.Errorf("auth: derive for player %d: %w", j.account.ID, j.hash.Err))
		case j.hash.Hash == "" && !j.hash.Match:
			j.wrong = true
			p.fail(j, rushgate.BadCredentials)
		case j.asksCode() && !p.judgeCode(j):
		case j.Kind.isErrand():
			p.judgeErrand(j)
		default:
			p.sit(j)
		}
	}
	p.useUp(jobs)
	p.rehash(jobs)
}

// skip returns what is asked before and during a derivation: whether it has become pointless. Age counts only before:
// once begun, the work is better finished.
func (j *job) skip() func() bool {
	begun := false
	return func() bool {
		if begun {
			return j.ctx.Err() != nil
		}
		begun = true
		return j.stale()
	}
}

// rehash derives new hashes for those whose password is right and whose hash is outdated. In a rush it is put off:
// no player is to wait for another's migration.
func (p *Pool) rehash(jobs []*job) {
	if p.cfg.Door.Rush() {
		return
	}
	var outdated []*job
	var hashes []*password.Job
	for _, j := range jobs {
		if j.hash.Rehash && !j.Kind.isErrand() && !j.answered.Load() {
			h := password.New(cmp.Or(j.Password, j.Exact)) // an exact form alone has no other
			h.Skip = func() bool { return j.ctx.Err() != nil }
			outdated, hashes = append(outdated, j), append(hashes, &h)
		}
	}
	if len(hashes) == 0 {
		return
	}
	p.cfg.Hasher.Run(p.hurrying, hashes)
	for i, j := range outdated {
		j.newHash = hashes[i].Hash // empty if it was not to be: the login succeeds all the same
	}
}

// commit admits a batch, and hands on those who are admitted.
func (p *Pool) commit(jobs []*job) {
	ctx, cancel := storeContext()
	defer cancel()
	open := p.prepareAll(ctx, jobs)
	if len(open) == 0 {
		return
	}
	for range laneRounds {
		results, err := p.admitAll(ctx, open)
		if err != nil {
			p.unsettled.note(open)
			p.storeFailed(open, "commit", err)
			return
		}
		var again []*job
		for i, j := range open {
			if errors.Is(results[i].Err, rushgate.ErrAccountChanged) {
				again = append(again, j)
				continue
			}
			p.conclude(j, results[i])
		}
		if open = p.rememberAgain(ctx, again); len(open) == 0 {
			return
		}
	}
	for _, j := range open {
		p.fail(j, p.busy(door.UnderWay, nil))
	}
}

// admit carries out admissions. If the answer is lost, it repeats the same ones once, as the store's contract allows:
// they may have been carried out, and then the players' leases are held for sessions that no client knows of.
func (p *Pool) admit(ctx context.Context, admissions []rushgate.Admission) (results []rushgate.Admitted, err error) {
	for range 2 {
		results, err = p.cfg.Store.Admit(ctx, p.cfg.Instance, admissions)
		if err == nil && len(results) != len(admissions) {
			return nil, fmt.Errorf("%d results for %d admissions", len(results), len(admissions))
		}
		if err == nil || p.hurrying.Err() != nil {
			break
		}
		p.cfg.Logger.Warn("auth: admission is repeated, its outcome is unknown", "requests", len(admissions), "error", err)
		again, cancel := storeContext()
		defer cancel()
		ctx = again
	}
	return results, err
}

// prepareAll makes the admissions of a batch, and answers the jobs for which there is none. A store that has no id for
// one is not asked for another's; one that does not answer is not asked to admit anybody: that would take as long
// again.
func (p *Pool) prepareAll(ctx context.Context, jobs []*job) (open []*job) {
	var failed []*job
	var failure error
	for _, j := range jobs {
		switch {
		case j.ctx.Err() != nil: // the session that this would open would never be used
			p.expire(j.pending)
		case failure != nil && j.needsID():
			failed = append(failed, j)
		default:
			if err := p.prepare(ctx, j); err != nil {
				failure, failed = err, append(failed, j)
				continue
			}
			open = append(open, j)
		}
	}
	if errors.Is(failure, rushgate.ErrUnavailable) {
		failed, open = append(failed, open...), nil
	}
	if failure != nil {
		p.storeFailed(failed, "reserve player ids", failure)
	}
	return open
}

// needsID reports whether a job's admission, yet to be made, takes a new player id.
func (j *job) needsID() bool { return j.admission.Attempt == "" && j.account.ID == 0 }

// prepare makes a job's admission, once: a repeated stage must repeat the same admission.
func (p *Pool) prepare(ctx context.Context, j *job) error {
	if j.admission.Attempt != "" {
		return nil
	}
	isNew := j.needsID()
	j.session = p.unsettled.sessionFor(cmp.Or(j.account.Username, j.Username), j)
	j.admission = rushgate.Admission{
		Account: j.account, Attempt: j.attempt, NewHash: j.newHash, Takeover: j.Takeover, Session: j.session.Hash(),
		Credentials: j.credentials,
	}
	p.remember(j)
	if !isNew {
		return nil
	}
	id, err := p.ids.Take(ctx)
	if err != nil {
		j.admission = rushgate.Admission{}
		return err
	}
	j.admission.Create = true
	j.admission.Account = rushgate.Account{
		ID: id, Username: j.Username, PasswordHash: j.hash.Hash, Credentials: j.made, Attempt: j.attempt,
		CreatedAt: time.Now().Truncate(time.Millisecond),
	}
	return nil
}

// conclude answers a job by the store's result: a failure at once, success when the world has taken the player in.
func (p *Pool) conclude(j *job, r rushgate.Admitted) {
	switch {
	case errors.Is(r.Err, rushgate.ErrConcurrentAttempt):
		p.fail(j, p.busy(door.UnderWay, nil))
		return
	case r.Err != nil:
		p.fail(j, p.takingOver(j, r.Err))
		return
	case j.Kind == Continue && r.Attempt == "":
		p.letGo(0, r)
		p.cfg.Logger.Error("auth: a session does not go on", "player", j.account.ID, "error", errContinueIgnored)
		p.fail(j, rushgate.BadCredentials)
		return
	case p.misplaced(j, r):
		return
	}
	p.unsettled.settle(j)
	if r.HashReplaced {
		p.metrics.rehashed.Add(1)
	}
	j.pending.proven.Account = j.admission.Account
	p.cfg.Enter(rushgate.Arrival{Admitted: r, Token: j.session.Text(), Reply: func(s rushgate.Session, err error) {
		if !j.claim() {
			return
		}
		t := p.metrics.of(j.Kind)
		t.processed.Add(1)
		if err != nil {
			err = p.takingOver(j, err)
			t.countFailure(rushgate.ReasonOf(err))
			p.close(j, j.outcome(rushgate.ReasonOf(err)))
			j.reply(Welcome{}, err)
			return
		}
		t.success.Add(1)
		if j.Kind == Identity {
			p.metrics.identities.in.count(j.Shown.Credential.Kind)
		}
		p.close(j, door.Inside)
		w := Welcome{Session: s, Credentials: j.account.Credentials, SessionProof: j.sessionProof(s.Token)}
		if j.device != (token.Resume{}) {
			w.ResumeToken = j.device.Text()
		}
		j.reply(w, nil)
	}})
}

// busy is the refusal for a cause that the door keeps no place for.
func (p *Pool) busy(cause door.Cause, err error) error {
	return &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: p.cfg.Door.Later(cause), Cause: err}
}

// turnAway answers a request that a pool which is going down has no time left for.
func (p *Pool) turnAway(r *pending) {
	if r.claim() {
		p.metrics.of(r.Kind).rejectedBusy.Add(1)
		r.seat.Close(door.NotJudged)
		r.reply(Welcome{}, p.busy(door.Draining, nil))
	}
}

// storeFailed answers jobs that the store has let down: the same attempt may succeed in a moment, and it is nothing
// that their addresses could be blamed for.
func (p *Pool) storeFailed(jobs []*job, what string, err error) {
	p.cfg.Logger.Error("auth: store failed", "stage", what, "requests", len(jobs), "error", err)
	for _, j := range jobs {
		p.fail(j, p.busy(door.StoreAway, err))
	}
}

// expire answers a stale request.
func (p *Pool) expire(r *pending) {
	if r.claim() {
		p.metrics.of(r.Kind).expired.Add(1)
		r.seat.Close(door.NotJudged)
		r.reply(Welcome{}, rushgate.RequestExpired)
	}
}

// fail answers a job that will not be let in.
func (p *Pool) fail(j *job, err error) {
	if !j.claim() {
		return
	}
	reason := rushgate.ReasonOf(err)
	if reason == rushgate.InternalError {
		p.cfg.Logger.Error("auth request failed", "player", j.account.ID, "error", err)
		err = &rushgate.Refusal{Reason: reason, Cause: err}
	}
	t := p.metrics.of(j.Kind)
	t.processed.Add(1)
	t.countFailure(reason)
	p.close(j, j.outcome(reason))
	j.reply(Welcome{}, p.cfg.Door.Veil(err))
}

// outcome is what a refusal says about the player. What is not known to be the player's fault is not counted as such.
func (j *job) outcome(reason rushgate.Reason) door.Outcome {
	switch {
	case j.identity.forbidden: // by the policy
		return door.NotJudged
	case j.asked, j.once && j.Kind.finishes(): // the password is right, or was a moment ago
		return door.Asked
	case j.Kind.showsToken() && j.wrong && !j.guessed:
		return door.Unknown
	case j.wrong && j.account.ID == 0:
		return door.Unknown
	case j.wrong:
		return door.Wrong
	case reason == rushgate.UsernameTaken:
		return door.Taken
	case j.Kind == Enter && (reason == rushgate.BadCredentials || reason == rushgate.AccountDisabled):
		return door.Revoked
	case j.Kind == Enter && (reason == rushgate.InternalError || reason == rushgate.ServerBusy && !j.Takeover):
		return door.NotJudged
	case j.proved:
		return door.Right
	}
	return door.NotJudged
}

// close gives a job's seat back, and logs what that locks out: once, when it begins.
func (p *Pool) close(j *job, o door.Outcome) {
	if o == door.NotJudged || o == door.Asked || o == door.Right && j.Kind.opensSession() {
		p.giveStateBack(j)
	}
	p.logLockouts(j.seat.Close(o))
}

func (p *Pool) logLockouts(began []door.Lockout) {
	for _, lock := range began {
		attrs := []any{"kind", lock.Kind.String(), "until", lock.Until}
		if lock.Origin.IsValid() {
			attrs = append(attrs, "origin", lock.Origin.String())
		}
		if lock.Name != "" {
			attrs = append(attrs, "username", lock.Name)
		}
		p.cfg.Logger.Warn("too many failures: locked out", attrs...)
	}
}

// storeContext bounds a store call by time only: a batch belongs to many callers, and the batch in hand is finished
// also while the pool stops.
func storeContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), storeTimeout)
}
