package handover

// Step is a moment of an attempt, as one of the two processes sees it.
type Step string

// The steps of the process that is replaced, and of the one that takes its place, in the order in which they come. Each
// is what has just been done, but for those whose comment says otherwise.
const (
	OldOffered  Step = "old: offered"
	OldPrepared Step = "old: prepared"
	OldFrozen   Step = "old: frozen"
	OldTold     Step = "old: told"  // the state has been sent
	OldGoing    Step = "old: going" // about to say "go"
	OldWent     Step = "old: went"  // "go" has been said
	OldGone     Step = "old: gone"  // "done" has been heard

	NewGreeted Step = "new: greeted" // the offer has come
	NewAble    Step = "new: able"    // about to say so
	NewTold    Step = "new: told"    // the state has come
	NewLoaded  Step = "new: loaded"  // about to say so
	NewGoing   Step = "new: going"   // "go" has come
	NewRunning Step = "new: running" // about to say "done"
	NewDone    Step = "new: done"    // it has been said
)

// OldSteps and NewSteps are all there are.
var (
	OldSteps = []Step{OldOffered, OldPrepared, OldFrozen, OldTold, OldGoing, OldWent, OldGone}
	NewSteps = []Step{NewGreeted, NewAble, NewTold, NewLoaded, NewGoing, NewRunning, NewDone}
)

// At is called at each step. A test whose processes are to die or to hang there sets it, before there is an attempt;
// nothing else does, and nothing outside of the process can.
var At = func(Step) {}
