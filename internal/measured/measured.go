// Package measured is a [rushgate.Store] that hands every call on to another one, times it, and keeps count of the
// session leases that come and go with the answers.
package measured

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/latency"
)

// Store measures the calls of another store. It is safe for concurrent use, and as such passes that one's answers and
// errors on as they are.
type Store struct {
	store      rushgate.Store
	operations [operations]measurement
	leases     leases
}

var _ rushgate.Store = (*Store)(nil)

// New returns a store that measures another one, which it owns from now on.
func New(store rushgate.Store) *Store {
	return &Store{store: store, leases: leases{held: make(map[rushgate.PlayerID]uint64)}}
}

// operation is a method of a store.
type operation int

const (
	loadAccounts operation = iota
	admit
	save
	refresh
	reserveIDs
	top
	wanted
	presence
	want
	loadCharacters
	createAccounts
	updateAccounts
	deleteAccount
	beginImport
	importRecords
	ping
	lookalikes
	shared
	swapShared
	beat
	renameAccount
	usernames
	note
	loadHistories
	planTasks
	takeTasks
	dropTasks
	loadTasks
	countTasks
	appendAudit
	loadAudit
	auditSpan
	trimAudit
	playerNames
	identityOwners
	claimIdentities
	heldNames
	holdNames
	operations // how many there are
)

var names = [operations]string{
	loadAccounts: "load_accounts", admit: "admit", save: "save", refresh: "refresh", reserveIDs: "reserve_ids", top: "top",
	wanted: "wanted", presence: "presence", want: "want", loadCharacters: "load_characters",
	createAccounts: "create_accounts", updateAccounts: "update_accounts", deleteAccount: "delete_account",
	beginImport: "begin_import", importRecords: "import", ping: "ping", lookalikes: "lookalikes",
	shared: "shared", swapShared: "swap_shared", beat: "beat",
	renameAccount: "rename_account", usernames: "usernames", note: "note", loadHistories: "load_histories",
	planTasks: "plan_tasks", takeTasks: "take_tasks", dropTasks: "drop_tasks", loadTasks: "load_tasks",
	countTasks: "count_tasks", appendAudit: "append_audit", loadAudit: "load_audit", auditSpan: "audit_span",
	trimAudit: "trim_audit", playerNames: "player_names", identityOwners: "identity_owners",
	claimIdentities: "claim_identities", heldNames: "held_names", holdNames: "hold_names",
}

type measurement struct {
	calls  latency.Histogram
	errors atomic.Uint64
}

// Operation is what is known of the calls of one method.
type Operation struct {
	// Name is the method's, in lower case with underscores.
	Name string
	// Calls holds how long all calls took, those that failed included.
	Calls latency.Cumulative
	// Errors counts the calls that failed as a whole. An answer, such as that there is no such account, is no failure, nor
	// is a call that was given up because its context was cancelled. Running into a deadline is one.
	Errors uint64
}

// Operations returns the figures of every method but Close, in an order that does not change, with the calls counted
// against bounds.
func (s *Store) Operations(bounds []time.Duration) []Operation {
	all := make([]Operation, operations)
	for op := range all {
		m := &s.operations[op]
		all[op] = Operation{Name: names[op], Errors: m.errors.Load(), Calls: m.calls.Cumulative(bounds)}
	}
	return all
}

// measure is deferred by every method.
func (s *Store) measure(op operation, start time.Time, err *error) {
	m := &s.operations[op]
	m.calls.Record(time.Since(start))
	if isFailure(*err) {
		m.errors.Add(1)
	}
}

func isFailure(err error) bool {
	if _, answer := errors.AsType[rushgate.Reason](err); answer {
		return false
	}
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, rushgate.ErrIDsInUse)
}
