package auth

import (
	"cmp"

	"github.com/rushgate/rushgate/internal/opaquerecord"
	"github.com/rushgate/rushgate/password"
)

// hashJobs appends what is to be derived for a job: one key for each form of its password. All are derived, whether the
// account is known or not and whichever form it needs, so that how long a refusal takes depends on what the client sent
// and on nothing else.
func (j *job) hashJobs(to []*password.Job) []*password.Job {
	if j.registered() {
		j.hash, j.exact = password.Job{Hash: password.Locked()}, password.Job{}
		return to
	}
	if j.showsIdentity() {
		j.hash, j.exact = password.Job{Match: holds(j.account.Credentials, j.Shown.Credential)}, password.Job{}
		return j.newHashJob(to)
	}
	j.hash, j.exact = j.hashJob(cmp.Or(j.Password, j.Exact)), password.Job{}
	to = append(to, &j.hash)
	if j.twoForms() {
		j.exact = j.hashJob(j.Exact)
		to = append(to, &j.exact)
	}
	return j.newHashJob(to)
}

// hasForm reports whether there is a password that the job may be proved, or an account be made, with.
func (j *job) hasForm() bool {
	return j.registered() || j.showsIdentity() || j.Password != "" || j.guesses() && j.Exact != ""
}

// registered reports whether the job has something registered by OPAQUE in place of a password.
func (j *job) registered() bool { return j.Kind == Recover && j.Record != (opaquerecord.Proof{}) }

// showsIdentity reports whether it is an errand that shows an identity of its account in place of the password.
func (r *Request) showsIdentity() bool {
	return r.Kind.provesPassword() && r.Kind != Login && r.Shown.Credential.Kind != ""
}

// twoForms reports whether the password may have been hashed in either of two forms.
func (j *job) twoForms() bool {
	return !j.showsIdentity() && j.guesses() && j.Password != "" && j.Exact != ""
}

// guesses reports whether the password is that of an account which there may be already.
func (j *job) guesses() bool { return j.Kind.provesPassword() }

// hashJob is what is to be derived for one form of the password.
func (j *job) hashJob(form string) (h password.Job) {
	switch {
	case j.Kind == Recover:
		h = password.New(form)
	case j.account.ID != 0:
		h = password.Verify(form, j.account.PasswordHash)
	case j.Kind == Register:
		h = password.New(form)
	default:
		h = password.Decoy(form)
	}
	h.Skip = j.skip()
	return h
}

// choose makes the result of the one form that is right, or could not be tried, that of the job. A hash of the exact
// form is replaced by one of the canonical form, which the same password has however a device composes it.
func (j *job) choose() {
	if !j.twoForms() || j.hash.Match || !j.exact.Match && j.hash.Err != nil {
		return
	}
	j.hash = j.exact
	if j.hash.Match && !password.Foreign(j.account.PasswordHash) {
		j.hash.Rehash = true // of those from other systems, the hasher knows which can be replaced
	}
}
