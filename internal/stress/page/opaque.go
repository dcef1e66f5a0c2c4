package page

import "github.com/rushgate/rushgate/internal/stress/report"

// opaqueSheet tells what OPAQUE cost the players' side.
func opaqueSheet(o *report.OpaqueCost) sheet {
	s := sheet{Title: "OPAQUE, the players' half", Intro: o.Explained(), Head: []string{"", ""}}
	s.add("accounts registered before", count(o.Prepared))
	s.addf("computed in a try", "p50 %s, p99 %s", show(report.UnitMillis, p50(o.Computed)),
		show(report.UnitMillis, p99(o.Computed)))
	s.add("Argon2id, in no figure", show(report.UnitMillis, o.Argon2id))
	return s
}
