package admin

import "time"

// Door is what a node measures of its door, at one moment. Totals count from the start of the node.
type Door struct {
	Knocks               int64 // total of logins and registrations that asked the door
	ByDoorman, ByAPI     int64 // totals of refusals, by what has answered: the doorman, at the least cost, or the API
	Accepted, HandedOver int64 // totals of the doorman's connections, and of those of them that net/http has got

	CPU CPU

	// AllowedCores is how many cores the door may use; Bounded says that those are less than all, because logins wait.
	AllowedCores float64
	Bounded      bool

	AcceptQueue *AcceptQueue // nil: the system does not tell
	Handshakes  *Handshakes  // nil: the doorman does none
}

// CPU has totals of the CPU time by what it was used for, and of all of it; all are 0 where the system does not tell.
type CPU struct{ Tick, Hash, Door, Rest, Process time.Duration }

// doorTimes are how long the parts of a [Door] have had to grow since the reading before.
type doorTimes struct {
	knocks time.Duration // Knocks, ByDoorman and ByAPI
	cpu    time.Duration // CPU
	rest   time.Duration // all else
}

// cores returns how many cores each part has kept busy. A part tells of a piece of work when that is done, of which
// some was done before: together they have used no more than the process has.
func (c CPU) cores(before CPU, elapsed time.Duration) (tick, hash, door, rest float64) {
	used := func(now, before time.Duration) float64 { return float64(max(now-before, 0)) / float64(elapsed) }
	tick, hash, door = used(c.Tick, before.Tick), used(c.Hash, before.Hash), used(c.Door, before.Door)
	rest = used(c.Rest, before.Rest)
	all := used(c.Process, before.Process)
	if named := tick + hash + door; named > all && named > 0 {
		share := all / named
		tick, hash, door, rest = tick*share, hash*share, door*share, 0
	} else {
		rest = min(rest, all-named)
	}
	return rounded(tick), rounded(hash), rounded(door), rounded(rest)
}

// AcceptQueue is the kernel's queue of connections that wait to be accepted.
type AcceptQueue struct {
	Length, Limit int
	Overflows     int64 // total of those for which a queue had no room, of all listeners of the network namespace
}

// Handshakes are those of TLS.
type Handshakes struct {
	Waiting      int   // now
	Done, Failed int64 // totals
}

// DoorSample is the door's part of a [Sample].
type DoorSample struct {
	Knocks     Count `json:"knocks"`
	ByDoorman  Count `json:"refused_by_doorman"`
	ByAPI      Count `json:"refused_by_api"`
	Accepted   Count `json:"connections_accepted"`
	HandedOver Count `json:"connections_handed_over"`

	// cores kept busy in the interval, by what for
	Tick float64 `json:"tick_cores"`
	Hash float64 `json:"hash_cores"`
	Door float64 `json:"door_cores"`
	Rest float64 `json:"rest_cores"`

	ConnectionUS float64 `json:"connection_us"` // CPU time of the door for a connection accepted, µs; 0: none was
	AllowedCores float64 `json:"allowed_cores"`
	Bounded      bool    `json:"bounded"`

	AcceptQueue *AcceptQueueSample `json:"accept_queue,omitempty"`
	Handshakes  *HandshakesSample  `json:"handshakes,omitempty"`
}

// AcceptQueueSample is an [AcceptQueue] with what has happened since the sample before.
type AcceptQueueSample struct {
	Length    int   `json:"length"`
	Limit     int   `json:"limit"`
	Overflows Count `json:"overflows"`
}

// HandshakesSample is [Handshakes] with what has happened since the sample before.
type HandshakesSample struct {
	Waiting int   `json:"waiting"`
	Done    Count `json:"done"`
	Failed  Count `json:"failed"`
}

// since returns the sample that lies between an earlier reading and this one.
func (d *Door) since(before *Door, elapsed doorTimes) DoorSample {
	knocks := func(now, before int64) Count { return Count{now, perSecond(now-before, elapsed.knocks)} }
	count := func(now, before int64) Count { return Count{now, perSecond(now-before, elapsed.rest)} }
	s := DoorSample{
		Knocks:    knocks(d.Knocks, before.Knocks),
		ByDoorman: knocks(d.ByDoorman, before.ByDoorman), ByAPI: knocks(d.ByAPI, before.ByAPI),
		Accepted: count(d.Accepted, before.Accepted), HandedOver: count(d.HandedOver, before.HandedOver),
		AllowedCores: rounded(d.AllowedCores), Bounded: d.Bounded,
	}
	s.Tick, s.Hash, s.Door, s.Rest = d.CPU.cores(before.CPU, elapsed.cpu)
	if n := d.Accepted - before.Accepted; n > 0 {
		s.ConnectionUS = rounded(float64((d.CPU.Door - before.CPU.Door).Nanoseconds()) / 1000 / float64(n))
	}
	if q := d.AcceptQueue; q != nil {
		overflows := q.Overflows
		if before.AcceptQueue != nil {
			overflows = before.AcceptQueue.Overflows
		}
		s.AcceptQueue = &AcceptQueueSample{q.Length, q.Limit, count(q.Overflows, overflows)}
	}
	if h := d.Handshakes; h != nil {
		earlier := *h
		if before.Handshakes != nil {
			earlier = *before.Handshakes
		}
		s.Handshakes = &HandshakesSample{h.Waiting, count(h.Done, earlier.Done), count(h.Failed, earlier.Failed)}
	}
	return s
}

// doorPoint is the door's part of a point.
type doorPoint struct {
	ByDoorman   float64 `json:"rd"`
	ByAPI       float64 `json:"ra"`
	Tick        float64 `json:"ct"`
	Hash        float64 `json:"ch"`
	Door        float64 `json:"cd"`
	Rest        float64 `json:"cr"`
	AcceptQueue *int    `json:"aq,omitempty"`
	Overflows   float64 `json:"ov,omitempty"`
	Handshakes  *int    `json:"hw,omitempty"`
}

func (s *DoorSample) point() doorPoint {
	p := doorPoint{
		ByDoorman: s.ByDoorman.PerSecond, ByAPI: s.ByAPI.PerSecond,
		Tick: s.Tick, Hash: s.Hash, Door: s.Door, Rest: s.Rest,
	}
	if s.AcceptQueue != nil {
		p.AcceptQueue, p.Overflows = &s.AcceptQueue.Length, s.AcceptQueue.Overflows.PerSecond
	}
	if s.Handshakes != nil {
		p.Handshakes = &s.Handshakes.Waiting
	}
	return p
}
