package rushgate

// Mode says who may come in, on all nodes of a fleet. More may come: what does not know one takes it for a closed door.
type Mode string

// The modes.
const (
	// ModeOpen: every player may.
	ModeOpen Mode = "open"
	// ModeClosed: nobody may, until the operator opens the doors.
	ModeClosed Mode = "closed"
	// ModeStaff: the accounts on the operator's list of staff may, as while all others wait for the end of maintenance.
	ModeStaff Mode = "staff"
	// ModeAllowlist: the accounts on the operator's list may, and staff.
	ModeAllowlist Mode = "allowlist"
)
