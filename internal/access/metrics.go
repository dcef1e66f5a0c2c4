package access

import (
	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/metric"
)

// Metrics writes what the rules are, and whom bans have kept out. What the mode keeps out is counted at the door.
func (k *Keeper) Metrics(out metric.Scrape) {
	r := k.Rules()
	for _, m := range []rushgate.Mode{
		rushgate.ModeOpen, rushgate.ModeClosed, rushgate.ModeStaff, rushgate.ModeAllowlist,
	} {
		is := 0.0
		if r.Mode == m {
			is = 1
		}
		out.Gauge("rushgate_access_mode", "Whom the operators let in: 1 for the mode of the doors.", is, "mode", string(m))
	}
	ranges, devices := r.Counts()
	out.Gauge("rushgate_access_bans", "Bans of ranges of addresses and of devices.", float64(ranges), "kind", "range")
	out.Gauge("rushgate_access_bans", "Bans of ranges of addresses and of devices.", float64(devices), "kind", "device")
	const refusals, help = "rushgate_access_refusals_total", "Logins and registrations refused for a ban, by its kind."
	out.Counter(refusals, help, float64(k.refused[0].Load()), "kind", "range")
	out.Counter(refusals, help, float64(k.refused[1].Load()), "kind", "device")
	out.Flag("rushgate_access_current", "Whether the mode and the bans could be read when that was last tried.",
		k.Current())
}
